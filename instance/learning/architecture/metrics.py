"""Numbers that describe an import graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from instance.learning.architecture.cycles import components
from instance.learning.architecture.graph import Graph

HUB_SHARE = 0.05
"""The modules that are needed most: one in twenty."""


def gini(values: Iterable[int]) -> float:
    """Return how unequal counts are: 0 all the same, towards 1 all in one (Gini 1912)."""
    ordered = sorted(values)
    total = sum(ordered)
    if not total:
        return 0.0
    weighted = sum(rank * value for rank, value in enumerate(ordered, 1))
    return 2 * weighted / (len(ordered) * total) - (len(ordered) + 1) / len(ordered)


def hubs(graph: Graph) -> list[tuple[str, int]]:
    """Return the modules needed most, one in twenty and at least one, with how many need them."""
    ranked = sorted(graph.fan_in.items(), key=lambda item: (-item[1], item[0]))
    return [item for item in ranked[: max(1, round(len(ranked) * HUB_SHARE))] if item[1]]


def isolated(graph: Graph) -> list[str]:
    """Return the modules that neither need another nor are needed, not even to be contained."""
    held = {target for targets in graph.needs.values() for target in targets}
    return [node for node in graph.files if not graph.needs[node] and node not in held]


def depth(graph: Graph) -> int:
    """Return the number of modules on the longest chain of dependencies, a cycle counting as one."""
    longest: dict[str, int] = {}
    for component in components(graph.edges):
        below = (longest[target] for node in component for target in graph.edges[node] if target in longest)
        longest.update(dict.fromkeys(component, 1 + max(below, default=0)))
    return max(longest.values(), default=0)


def towards_stable(graph: Graph) -> tuple[int, int]:
    """Return how many dependencies point to a module at least as stable, and how many there are.

    Instability is outgoing over all dependencies of a module (Martin 1994); what much depends on should need little.
    """
    outgoing = {node: len(targets) for node, targets in graph.edges.items()}
    instability = {node: outgoing[node] / max(1, outgoing[node] + graph.fan_in[node]) for node in graph.files}
    steps = [instability[node] - instability[target] for node, targets in graph.edges.items() for target in targets]
    return sum(step >= 0 for step in steps), len(steps)


def size(parts: Sequence[Sequence[str]]) -> int:
    """Return how many modules lie in any of the parts."""
    return sum(map(len, parts))
