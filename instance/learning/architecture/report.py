"""The architecture of one repository with its own names: for the people who work on it, never sent anywhere."""

from __future__ import annotations

from msgspec import Struct

from instance.learning.architecture.cycles import cycles
from instance.learning.architecture.entries import entry_points
from instance.learning.architecture.evidence import Evidence
from instance.learning.architecture.graph import Graph
from instance.learning.architecture.layers import Layering
from instance.learning.architecture.metrics import gini, hubs, isolated
from instance.learning.architecture.pattern import ArchitecturePattern
from instance.learning.architecture.services import services
from instance.learning.architecture.study import architecture

EXAMPLES_MAX = 20
"""Cycles, hubs, lone modules and dependencies against the layers named of each language."""


class Hub(Struct, frozen=True, kw_only=True):
    """A module that many others need."""

    module: str
    needed_by: int


class Layer(Struct, frozen=True, kw_only=True):
    """A role and how many modules play it; layers are ordered from the outside in."""

    role: str
    modules: int


class Breach(Struct, frozen=True, kw_only=True):
    """A dependency that points outwards: `module` needs `needed`, which lies in an outer layer."""

    module: str
    role: str
    needed: str
    needed_role: str


class LanguageReport(Struct, frozen=True, kw_only=True):
    """The import graph of what is shipped in one family of languages."""

    language: str
    modules: int
    dependencies: int
    resolved: float
    """Share of the imports naming this repository that were found in it."""
    gini: float
    """How unequally modules are needed, 0 to 1."""
    cycles: list[list[str]]
    hubs: list[Hub]
    isolated: list[str]
    layers: list[Layer]
    breaches: list[Breach]


class Named(Struct, frozen=True, kw_only=True):
    """A pattern as it is published, beside the details."""

    name: str
    language: str
    evidence: int
    confidence: float
    description: str
    measures: dict[str, float]


class Report(Struct, frozen=True, kw_only=True):
    """Everything the architect can say of one repository."""

    languages: list[LanguageReport]
    entries: dict[str, list[str]]
    """Files that are, or declare, entry points, by kind."""
    services: dict[str, int]
    """Well-known services by the number of files that run them."""
    patterns: list[Named]


def report(evidence: Evidence) -> Report:
    """Draw up the report of one repository."""
    return Report(
        languages=[_language(graph, evidence.layerings[language]) for language, graph in evidence.graphs.items()],
        entries=entry_points(evidence),
        services=dict(services(evidence.documents).known),
        patterns=[_named(pattern) for pattern in architecture(evidence)],
    )


def _language(graph: Graph, layers: Layering) -> LanguageReport:
    return LanguageReport(
        language=graph.language,
        modules=len(graph.files),
        dependencies=graph.edge_count,
        resolved=round(graph.resolved, 3),
        gini=round(gini(graph.fan_in.values()), 3),
        cycles=cycles(graph.edges)[:EXAMPLES_MAX],
        hubs=[Hub(module=module, needed_by=count) for module, count in hubs(graph)[:EXAMPLES_MAX]],
        isolated=isolated(graph)[:EXAMPLES_MAX],
        layers=[Layer(role=role, modules=layers.count(role)) for role in layers.order],
        breaches=_breaches(graph, layers)[:EXAMPLES_MAX],
    )


def _breaches(graph: Graph, layers: Layering) -> list[Breach]:
    """Return the dependencies that point outwards, in order."""
    if not layers.is_clear:
        return []
    pairs = ((node, needed) for node, targets in sorted(graph.edges.items()) for needed in sorted(targets))
    breaches = []
    for node, needed in pairs:
        roles = layers.modules.get(node, ""), layers.modules.get(needed, "")
        if roles in layers.between and layers.is_outwards(roles):
            breaches.append(Breach(module=node, role=roles[0], needed=needed, needed_role=roles[1]))
    return breaches


def _named(pattern: ArchitecturePattern) -> Named:
    return Named(
        name=pattern.name,
        language=pattern.language,
        evidence=pattern.evidence,
        confidence=pattern.confidence,
        description=pattern.description,
        measures=dict(pattern.measures),
    )
