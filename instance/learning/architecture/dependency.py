"""Patterns of an import graph: cycles, hubs, modules that stand alone, the direction of dependencies."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.architecture.cycles import cycles
from instance.learning.architecture.graph import Graph
from instance.learning.architecture.metrics import depth, gini, hubs, isolated, size, towards_stable
from instance.learning.architecture.outline import Reach
from instance.learning.architecture.pattern import (
    HABIT_LEAST,
    ArchitecturePattern,
    coarse,
    coarse_share,
    lower_bound,
    pattern,
)

MODULES_MIN = 10
"""A smaller graph shows nothing worth comparing."""
_HUB_SHARE_MIN = 0.4
_ISOLATED_SHARE_MIN = 0.1
_NEVER_CYCLIC = frozenset({"go"})  # its compiler refuses cycles: not having them is no decision


def dependency_patterns(graph: Graph) -> Iterator[ArchitecturePattern]:
    """Yield what the graph of one language shows."""
    if len(graph.files) < MODULES_MIN or not graph.edge_count or not graph.is_whole:
        return
    if graph.language not in _NEVER_CYCLIC:
        yield from _cyclic(graph)
    yield from _hubs(graph)
    yield from _isolated(graph)
    yield from _stable(graph)


def _cyclic(graph: Graph) -> Iterator[ArchitecturePattern]:
    found, modules = cycles(graph.edges), len(graph.files)
    measures = _size(graph) | {
        "components": coarse(len(found)),
        "largest": coarse(max(map(len, found), default=0)),
        "share": coarse_share(size(found) / modules),
    }
    if not found:
        sure = lower_bound(modules, modules) * graph.resolved
        text = "no module depends on itself, however far around"
        yield pattern("dependency.acyclic", modules, text, language=graph.language, confidence=sure, measures=measures)
        return
    text = "modules depend on each other in cycles"
    yield pattern("dependency.cycles", size(found), text, language=graph.language, measures=measures)
    if not cycles(graph.up_to(Reach.LOAD)):
        text = "cycles exist, but none while modules load: imports inside functions break them"
        yield pattern("dependency.cycles-deferred", size(found), text, language=graph.language, measures=measures)


def _hubs(graph: Graph) -> Iterator[ArchitecturePattern]:
    chosen = dict(hubs(graph))
    share = sum(chosen.values()) / graph.edge_count
    if share < _HUB_SHARE_MIN:
        return
    measures = _size(graph) | {"gini": coarse_share(gini(graph.fan_in.values())), "share": coarse_share(share)}
    needing = sum(not chosen.keys().isdisjoint(targets) for targets in graph.edges.values())
    text = "one module in twenty takes at least two in five of all dependencies"
    yield pattern(
        "dependency.hubs", needing, text, language=graph.language, confidence=graph.resolved, measures=measures
    )


def _isolated(graph: Graph) -> Iterator[ArchitecturePattern]:
    alone = len(isolated(graph))
    share = alone / len(graph.files)
    if share >= _ISOLATED_SHARE_MIN:
        text = "at least one module in ten neither needs another nor is needed"
        yield pattern(
            "dependency.isolated",
            alone,
            text,
            language=graph.language,
            confidence=graph.resolved,
            measures={"share": coarse_share(share)},
        )


def _stable(graph: Graph) -> Iterator[ArchitecturePattern]:
    agreeing, total = towards_stable(graph)
    sure = lower_bound(agreeing, total)
    if sure >= HABIT_LEAST:
        text = "dependencies point to modules that need less than they are needed"
        measures = {"share": coarse_share(agreeing / total)}
        yield pattern(
            "dependency.towards-stable",
            len(graph.files),
            text,
            language=graph.language,
            confidence=sure,
            measures=measures,
        )


def _size(graph: Graph) -> dict[str, float]:
    return {
        "modules": coarse(len(graph.files)),
        "dependencies": coarse(graph.edge_count),
        "depth": coarse(depth(graph)),
    }
