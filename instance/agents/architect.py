"""The architect: names the decisions behind a codebase, from its paths, its import graph and its manifests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from instance.agents.agent import Agent, Finding
from instance.agents.codebase import Codebase
from instance.learning.architecture.documents import DOCUMENTS_MAX, is_wanted
from instance.learning.architecture.evidence import Evidence
from instance.learning.architecture.pattern import ANY, ArchitecturePattern
from instance.learning.architecture.report import Report, report
from instance.learning.architecture.study import architecture


class Architect(Agent):
    """Names the decisions behind a codebase in the field's terms."""

    name = "architect"
    version = 2

    def reads(self, path: str) -> bool:
        """Tell whether a file is a manifest, a setting of the build or a deployment."""
        return is_wanted(path)

    def study(self, codebase: Codebase) -> Iterable[Finding]:
        """Return the architecture patterns of a repository."""
        return map(_finding, architecture(evidence_of(codebase)))


def _finding(pattern: ArchitecturePattern) -> Finding:
    language = "" if pattern.language == ANY else pattern.language
    return Finding(
        name=pattern.name,
        identity=pattern.identity,
        language=language,
        files=pattern.evidence,
        occurrences=pattern.evidence,
        body={
            "name": pattern.name,
            "confidence": pattern.confidence,
            "language": language,
            "measures": dict(pattern.measures),
        },
    )


def draw(codebase: Codebase) -> Report:
    """Return the architecture of a repository with its own names, for the people who work on it."""
    return report(evidence_of(codebase))


def evidence_of(codebase: Codebase) -> Evidence:
    """Gather what a repository shows of its architecture."""
    outlines = {
        language: {path: codebase.facts_of(path).outline for path in paths}
        for language, paths in codebase.languages.items()
    }
    wanted = islice(filter(is_wanted, codebase.paths), DOCUMENTS_MAX)
    return Evidence(codebase.paths, outlines, {path: codebase.text(path) for path in wanted})
