"""Java: imports from tokens, and the package directories they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from instance.analysis.tokens import Tokens
from instance.learning.architecture.outline import Need, Outline
from instance.learning.architecture.places import parent
from instance.learning.imports import read_statement


def needs(tokens: Tokens) -> Iterator[Need]:
    """Yield the package or class of every import; names written out in full in the code are not followed."""
    for start, end in tokens.imports:
        for item in read_statement(tokens.texts[start:end], tokens.language):
            yield Need(item.module, (item.name,))


def declares(tokens: Tokens) -> Iterator[str]:
    """Yield the package a file is part of, whole."""
    for start, end in tokens.imports:
        if tokens.texts[start] == "package":
            yield "".join(tokens.texts[start + 1 : end]).rstrip(";")


class Locator:
    """Finds the directories that declare a package, those nearest to the file that imports it first."""

    def __init__(self, outlines: Mapping[str, Outline], documents: Mapping[str, str]) -> None:  # noqa: ARG002 - one shape for all
        self._directories: dict[str, set[str]] = {}
        for path, outline in outlines.items():
            for package in outline.declares:
                self._directories.setdefault(package, set()).add(self.node(path))
        self._prefixes = {".".join(package.split(".")[:3]) for package in self._directories}

    @staticmethod
    def node(path: str) -> str:
        """Return the package a file belongs to: its directory."""
        return parent(path) or "."

    def find(self, path: str, need: Need) -> list[str]:
        """Return the directory of the longest known part of an imported name."""
        package = need.module
        while package and package not in self._directories:
            package = package.rpartition(".")[0]
        found = self._directories.get(package)
        return [max(sorted(found), key=lambda directory: _shared(directory, path))] if found else []

    def is_own(self, path: str, need: Need) -> bool:  # noqa: ARG002 - a package means the same in every file
        """Tell whether an import shares the first three parts of its name with a package of this repository."""
        return ".".join(need.module.split(".")[:3]) in self._prefixes


def _shared(one: str, other: str) -> int:
    """Return how many leading directories two paths share."""
    count = 0
    for mine, theirs in zip(one.split("/"), other.split("/"), strict=False):
        if mine != theirs:
            break
        count += 1
    return count
