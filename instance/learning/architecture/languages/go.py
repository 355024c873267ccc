"""Go: imports from tokens, and the package directories they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from instance.analysis.tokens import Tokens
from instance.learning.architecture.outline import Need, Outline
from instance.learning.architecture.places import parent
from instance.learning.imports import unquoted

_MODULE = re.compile(r"^module\s+\"?([^\s\"]+)", re.MULTILINE)
_GOPATH = re.compile(r"(?:^|/)src/(?=[^/]+\.[^/]+/)")


def needs(tokens: Tokens) -> Iterator[Need]:
    """Yield every package a file imports, also for its side effects alone."""
    for start, end in tokens.imports:
        texts = tokens.texts[start:end]
        if texts[0] == "import":
            yield from (Need(unquoted(text)) for text in texts if text[0] in '"`')


def declares(tokens: Tokens) -> Iterator[str]:
    """Yield the name of the package a file is part of."""
    for start, end in tokens.imports:
        if tokens.texts[start] == "package" and end > start + 1:
            yield tokens.texts[start + 1]


class Locator:
    """Finds the directory of a package below the `go.mod` that names its path, or below a GOPATH's `src`."""

    def __init__(self, outlines: Mapping[str, Outline], documents: Mapping[str, str]) -> None:
        self._directories = {self.node(path) for path in outlines}
        modules = {
            match[1]: parent(path)
            for path, text in documents.items()
            if path.rpartition("/")[2] == "go.mod" and (match := _MODULE.search(text))
        }
        self._modules = sorted(modules.items(), key=lambda item: -len(item[0]))
        self._by_import = {
            directory[match.end() :]: directory
            for directory in sorted(self._directories)
            if (match := _GOPATH.search(directory))
        }

    @staticmethod
    def node(path: str) -> str:
        """Return the package a file belongs to: its directory."""
        return parent(path) or "."

    def find(self, path: str, need: Need) -> list[str]:  # noqa: ARG002 - a path means the same in every file
        """Return the directory an import path names."""
        found = self._by_import.get(need.module) or self._below_module(need.module)
        return [found] if found in self._directories else []

    def is_own(self, path: str, need: Need) -> bool:  # noqa: ARG002 - as above
        """Tell whether an import path begins with that of a module of this repository."""
        return self._below_module(need.module) != ""

    def _below_module(self, path: str) -> str:
        for module, directory in self._modules:
            if path == module:
                return directory or "."
            if path.startswith(f"{module}/"):
                return f"{directory}/{path[len(module) + 1 :]}".lstrip("/")
        return ""
