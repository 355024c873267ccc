"""The import graph of one language in a repository: its modules, and which of them need which.

A module is a file; for Go and Java a directory, because there everything in a directory is one package. Elixir's
modules are taken by file, too, as `mix xref graph` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

from instance.learning.architecture.languages import elixir, go, java, python, rust, script
from instance.learning.architecture.outline import Need, Outline, Reach

FAMILIES = MappingProxyType({"javascript": "typescript", "tsx": "typescript"})
"""Languages whose files import each other are one graph."""


RESOLVED_MIN = 0.8
"""The share of a repository's imports of itself that must be found before its graph is judged."""


class Locator(Protocol):
    """Knows where the modules of one language lie in one repository."""

    def node(self, path: str) -> str:
        """Return the module a file belongs to."""

    def find(self, path: str, need: Need) -> list[str]:
        """Return the modules that `path` needs; empty when they are not of this repository."""

    def is_own(self, path: str, need: Need) -> bool:
        """Tell whether a need names this repository, be it found or not."""


_LOCATORS: MappingProxyType[str, Callable[[Mapping[str, Outline], Mapping[str, str]], Locator]] = MappingProxyType(
    {
        "python": python.Locator,
        "typescript": script.Locator,
        "go": go.Locator,
        "java": java.Locator,
        "rust": rust.Locator,
        "elixir": elixir.Locator,
    }
)


@dataclass(frozen=True)
class Graph:
    """Modules by name with their files, and for each the modules it needs with how strongly.

    Module names are the repository's own and never leave the machine. `found` and `missed` count the needs that name
    the repository and were, or were not, found in it.
    """

    language: str
    files: Mapping[str, tuple[str, ...]]
    needs: Mapping[str, Mapping[str, Reach]]
    found: int = 0
    missed: int = 0
    own: frozenset[str] = frozenset()
    """Module names, as imports write them, that turned out to be the repository's own."""

    @cached_property
    def edges(self) -> dict[str, frozenset[str]]:
        """Dependencies at run time: those for types alone and mere containment are none."""
        return self.up_to(Reach.LATER)

    @cached_property
    def edge_count(self) -> int:
        """Number of dependencies at run time."""
        return sum(map(len, self.edges.values()))

    @cached_property
    def fan_in(self) -> dict[str, int]:
        """How many modules need each module."""
        counts = dict.fromkeys(self.files, 0)
        for targets in self.edges.values():
            for target in targets:
                counts[target] += 1
        return counts

    @property
    def is_whole(self) -> bool:
        """Whether enough of it was found to judge it: a graph with holes has no cycles that it shows."""
        return self.resolved >= RESOLVED_MIN

    @property
    def resolved(self) -> float:
        """Share of the needs naming the repository that were found; 1 without any."""
        total = self.found + self.missed
        return self.found / total if total else 1.0

    def up_to(self, weakest: Reach) -> dict[str, frozenset[str]]:
        """Dependencies at least as strong as `weakest`."""
        return {
            node: frozenset(target for target, reach in self.needs.get(node, {}).items() if reach <= weakest)
            for node in self.files
        }


def family(language: str) -> str:
    """Return the language whose graph a file's language belongs to."""
    return FAMILIES.get(language, language)


def graph(outlines: Mapping[str, Outline], language: str, documents: Mapping[str, str]) -> Graph:
    """Build the graph of one family of languages, called `language`, from the outlines of its files by path.

    `documents` are the texts of manifests and build settings by path: what `documents.is_wanted` names.
    """
    locator = _LOCATORS[family(language)](outlines, documents)
    files: dict[str, list[str]] = {}
    for path in sorted(outlines):
        files.setdefault(locator.node(path), []).append(path)
    needs: dict[str, dict[str, Reach]] = {node: {} for node in files}
    found: list[str] = []
    missed = 0
    for path, outline in outlines.items():
        reached = needs[locator.node(path)]
        for need in outline.needs:
            targets = [target for target in locator.find(path, need) if target in files]
            if targets:
                found.append(need.module)
            else:
                missed += locator.is_own(path, need)
            for target in targets:
                reached[target] = min(Reach(need.reach), reached.get(target, Reach.HOLDS))
    for node, reached in needs.items():
        reached.pop(node, None)
    named = {node: tuple(paths) for node, paths in files.items()}
    return Graph(language, named, needs, len(found), missed, frozenset(found))
