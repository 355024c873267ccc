"""Elixir: module names in tokens, and the files that define them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from instance.analysis.language import Role
from instance.analysis.tokens import Tokens
from instance.learning.architecture.outline import Need, Outline, Reach
from instance.learning.imports import read_imports

_AT_COMPILE_TIME = frozenset({"use", "import", "require"})


def needs(tokens: Tokens) -> Iterator[Need]:
    """Yield every module a file names, its aliases spelled out; `use`, `import` and `require` need it to compile."""
    own = list(declares(tokens))
    here = own[0] if own else ""
    aliases = {item.local: item.module.replace("__MODULE__", here) for item in read_imports(tokens)}
    strongest: dict[str, Reach] = {}
    for at, text in _modules(tokens):
        head, dot, rest = text.partition(".")
        module = f"{aliases.get(head, head)}{dot}{rest}"
        if tokens.texts[max(0, at - 2) : at] == ["__MODULE__", "."]:
            module = f"{here}.{text}"
        if module not in own:
            compiled = at > 0 and tokens.texts[at - 1] in _AT_COMPILE_TIME
            reach = Reach.LOAD if compiled else Reach.LATER
            strongest[module] = min(reach, strongest.get(module, Reach.LATER))
    return (Need(module, (), reach) for module, reach in strongest.items())


def declares(tokens: Tokens) -> Iterator[str]:
    """Yield the modules a file defines, those within others by their whole names."""
    open_modules: list[tuple[str, int]] = []
    texts = tokens.texts
    for start, end in zip(tokens.starts, tokens.ends, strict=True):
        while open_modules and open_modules[-1][1] <= start:
            open_modules.pop()
        if end - start > 1 and texts[start] == "defmodule":
            name = texts[start + 1]
            if open_modules:
                name = f"{open_modules[-1][0]}.{name}"
            open_modules.append((name, end))
            yield name


def _modules(tokens: Tokens) -> Iterator[tuple[int, str]]:
    """Yield every module name with its place, but those being defined or only beginning `alias A.{B, C}`."""
    texts = tokens.texts
    for at, role in enumerate(tokens.roles):
        if role == Role.MODULE and texts[at + 1 : at + 3] != [".", "{"] and texts[at - 1] != "defmodule":
            yield at, texts[at]


class Locator:
    """Finds the file that defines a module."""

    def __init__(self, outlines: Mapping[str, Outline], documents: Mapping[str, str]) -> None:  # noqa: ARG002 - one shape for all
        self._file = {module: path for path, outline in sorted(outlines.items()) for module in outline.declares}

    @staticmethod
    def node(path: str) -> str:
        """Return the module a file is: itself."""
        return path

    def find(self, path: str, need: Need) -> list[str]:  # noqa: ARG002 - a name means the same in every file
        """Return the file that defines a module."""
        found = self._file.get(need.module)
        return [found] if found else []

    def is_own(self, path: str, need: Need) -> bool:
        """Tell whether a module is one of this repository: only its definition says so."""
        return bool(self.find(path, need))
