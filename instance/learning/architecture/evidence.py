"""What a repository shows of its architecture, before anybody has judged it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from instance.learning.architecture.graph import Graph, family, graph
from instance.learning.architecture.layers import Layering, layering
from instance.learning.architecture.outline import Outline
from instance.learning.architecture.places import is_production


@dataclass(frozen=True)
class Evidence:
    """The paths of a repository, the outlines of its source files, and the texts of its manifests and settings.

    `outlines` are by language, then by path; `documents` by path: the files `documents.is_wanted` names.
    """

    paths: Sequence[str]
    outlines: Mapping[str, Mapping[str, Outline]]
    documents: Mapping[str, str]

    @cached_property
    def production(self) -> dict[str, dict[str, Outline]]:
        """Outlines of what is shipped, by family of languages: no tests, examples or build files."""
        found: dict[str, dict[str, Outline]] = {}
        for language, outlines in self.outlines.items():
            kept = {path: outline for path, outline in outlines.items() if is_production(path)}
            if kept:
                found.setdefault(family(language), {}).update(kept)
        return found

    @cached_property
    def spoken(self) -> dict[str, str]:
        """What to call each family of languages here: a family without TypeScript is JavaScript."""
        names = {kin: kin for kin in self.production}
        if names and not self.outlines.keys() & {"typescript", "tsx"}:
            names = {kin: "javascript" if kin == "typescript" else kin for kin in names}
        return names

    @cached_property
    def graphs(self) -> dict[str, Graph]:
        """The import graph of what is shipped, by family of languages."""
        return {kin: graph(files, self.spoken[kin], self.documents) for kin, files in self.production.items()}

    @cached_property
    def layerings(self) -> dict[str, Layering]:
        """The layers of what is shipped, by family of languages."""
        return {language: layering(found) for language, found in self.graphs.items()}
