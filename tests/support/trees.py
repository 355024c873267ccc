"""A repository given as texts by path, and what it shows of its architecture."""

from __future__ import annotations

from collections.abc import Mapping

from instance.analysis.languages import LANGUAGES, language_of
from instance.analysis.parse import parse
from instance.learning.architecture.documents import is_wanted
from instance.learning.architecture.evidence import Evidence
from instance.learning.architecture.graph import Graph, graph
from instance.learning.architecture.outline import Outline
from instance.learning.architecture.reading import outline


def outline_of(source: str, language: str) -> Outline:
    """The outline of one file."""
    return outline(parse(source.encode(), LANGUAGES[language]))


def evidence_of(files: Mapping[str, str]) -> Evidence:
    """Everything a repository of these files shows."""
    outlines: dict[str, dict[str, Outline]] = {}
    for path, source in files.items():
        language = language_of(path)
        if language is not None:
            outlines.setdefault(language.name, {})[path] = outline_of(source, language.name)
    return Evidence(sorted(files), outlines, {path: text for path, text in files.items() if is_wanted(path)})


def graph_of(files: Mapping[str, str]) -> Graph:
    """The import graph of the one family of languages these files are written in, tests and all."""
    found = evidence_of(files)
    together = {path: outline for outlines in found.outlines.values() for path, outline in outlines.items()}
    return graph(together, next(iter(found.outlines)), found.documents)


def edges_of(files: Mapping[str, str]) -> dict[str, list[str]]:
    """Who needs whom at run time, without those that need nobody."""
    return {node: sorted(targets) for node, targets in graph_of(files).edges.items() if targets}
