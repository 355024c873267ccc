"""Layers: the order in which the roles of a codebase depend on each other, and what goes against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from instance.learning.architecture.graph import Graph
from instance.learning.architecture.pattern import HABIT_LEAST, ArchitecturePattern, coarse_share, lower_bound, pattern
from instance.learning.architecture.roles import role

ROLES_MAX = 10
"""Roles ordered; of more, those with the fewest dependencies are left out."""
_ROLES_MIN = 3
_DEPENDENCIES_MIN = 25
"""Fewer cannot reach the lower bound of a convention even when all agree."""
_DEPENDENCIES_PER_LAYER = 10
"""With fewer for each layer below another, some order fits by chance."""
_NO_LAYER = frozenset({"", "config", "utilities", "types", "internal", "core"})
Pair = tuple[str, str]


@dataclass(frozen=True)
class Layering:
    """Roles from the outside in, and the number of dependencies between each two of them."""

    language: str
    order: tuple[str, ...]
    between: Mapping[Pair, int]
    modules: Mapping[str, str]
    """The role of each module that has one."""
    is_whole: bool = True
    """Whether the graph it was read from was found as a whole."""

    def count(self, *roles: str) -> int:
        """Return how many modules play one of these roles."""
        return sum(role in roles for role in self.modules.values())

    @property
    def total(self) -> int:
        """Dependencies between roles that are ordered."""
        return sum(self.between.values())

    @property
    def against(self) -> int:
        """Dependencies that point outwards."""
        return sum(count for pair, count in self.between.items() if self.is_outwards(pair))

    def is_outwards(self, pair: Pair) -> bool:
        """Tell whether the first role of a pair lies inside the second."""
        return self.order.index(pair[0]) > self.order.index(pair[1])

    @property
    def is_respected(self) -> bool:
        """Whether there are layers, and dependencies keep to them."""
        return self.is_clear and lower_bound(self.total - self.against, self.total) >= HABIT_LEAST

    @property
    def is_clear(self) -> bool:
        """Whether enough roles and dependencies are there to speak of layers."""
        least = max(_DEPENDENCIES_MIN, _DEPENDENCIES_PER_LAYER * (len(self.order) - 1))
        return self.is_whole and len(self.order) >= _ROLES_MIN and self.total >= least


def layering(graph: Graph) -> Layering:
    """Order the roles of a graph's modules so that the fewest dependencies point outwards."""
    modules = {node: _role(paths) for node, paths in graph.files.items()}
    modules = {node: found for node, found in modules.items() if found not in _NO_LAYER}
    between: Counter[Pair] = Counter()
    for node, targets in graph.edges.items():
        for target in targets:
            pair = (modules.get(node, ""), modules.get(target, ""))
            if pair[0] and pair[1] and pair[0] != pair[1]:
                between[pair] += 1
    weight: Counter[str] = Counter()
    for pair, count in between.items():
        weight.update(dict.fromkeys(pair, count))
    chosen = sorted(sorted(weight), key=lambda name: -weight[name])[:ROLES_MAX]
    kept = {pair: count for pair, count in between.items() if pair[0] in chosen and pair[1] in chosen}
    return Layering(graph.language, _order(sorted(chosen), kept), kept, modules, graph.is_whole)


def layer_patterns(layers: Layering) -> Iterator[ArchitecturePattern]:
    """Yield whether layers are kept, and which roles stand above which without exception to speak of."""
    if not layers.is_whole:
        return
    if layers.is_clear:
        sure = lower_bound(layers.total - layers.against, layers.total)
        measures = {"layers": float(len(layers.order)), "against": coarse_share(layers.against / layers.total)}
        name, text = "layers.respected", "dependencies between roles point inwards, from layer to layer"
        if sure < HABIT_LEAST:
            name, text, sure = "layers.blurred", "dependencies between roles point both ways", 1.0
        yield pattern(
            name, layers.count(*layers.order), text, language=layers.language, confidence=sure, measures=measures
        )
    for (above, below), count in sorted(layers.between.items()):
        total = count + layers.between.get((below, above), 0)
        sure = lower_bound(count, total)
        if sure >= HABIT_LEAST:
            text = f"{above} depend on {below}, not the other way round"
            evidence = layers.count(above, below)
            yield pattern(f"layers.{above}-above-{below}", evidence, text, language=layers.language, confidence=sure)


def _role(paths: tuple[str, ...]) -> str:
    return Counter(map(role, paths)).most_common(1)[0][0]


def _order(roles: list[str], between: Mapping[Pair, int]) -> tuple[str, ...]:
    """Return the best order: exact, by the best order of every subset (Held and Karp's scheme), first of equals."""
    best: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
    for above in range(1 << len(roles)):
        cost, order = best[above]
        for new in range(len(roles)):
            if not above >> new & 1:
                outwards = sum(between.get((roles[new], roles[other]), 0) for other in order)
                candidate = (cost + outwards, (*order, new))
                key = above | 1 << new
                best[key] = min(best.get(key, candidate), candidate)
    return tuple(roles[at] for at in best[(1 << len(roles)) - 1][1])
