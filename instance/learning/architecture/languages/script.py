"""JavaScript and TypeScript: every way a file names another from tokens, and the files they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from instance.analysis.language import Role
from instance.analysis.tokens import Tokens
from instance.learning.architecture.languages.aliases import Aliases
from instance.learning.architecture.outline import Need, Outline, Reach
from instance.learning.architecture.places import join, parent
from instance.learning.imports import unquoted

_OPENERS = frozenset({"import", "export"})
_WRITTEN_AS = {
    ".js": (".ts", ".tsx", ".jsx"),
    ".jsx": (".tsx",),
    ".mjs": (".mts",),
    ".cjs": (".cts",),
}  # TypeScript names the file it will become
_ENDINGS = (".ts", ".tsx", ".mts", ".cts", ".d.ts", ".js", ".jsx", ".mjs", ".cjs")


def needs(tokens: Tokens) -> Iterator[Need]:
    """Yield what a file imports, re-exports or requires; `import type` is for types alone, `import()` for later."""
    texts, roles = tokens.texts, tokens.roles
    for at in range(1, len(texts)):
        if roles[at] != Role.STRING:
            continue
        before = texts[at - 1]
        if before == "from":
            yield Need(unquoted(texts[at]), (), _reach_of_clause(texts, at - 1))
        elif before == "import":
            yield Need(unquoted(texts[at]))
        elif before == "(" and texts[at - 2] in ("require", "import") and texts[at + 1 : at + 2] != ["+"]:
            yield Need(unquoted(texts[at]), (), _reach_of_call(tokens, at))


def _reach_of_clause(texts: list[str], end: int) -> Reach:
    """Tell whether everything between `import` or `export` and `from` is for types."""
    start = next((at for at in range(end - 1, max(end - 2000, -1), -1) if texts[at] in _OPENERS), end)
    clause = texts[start + 1 : end]
    if clause[:1] == ["type"] and len(clause) > 1:
        return Reach.TYPES
    if clause[:1] != ["{"] or len(clause) < 3:  # noqa: PLR2004 - braces around something
        return Reach.LOAD
    names = "\0".join(clause[1:-1]).split("\0,\0")
    return Reach.TYPES if all(name.startswith("type\0") for name in names) else Reach.LOAD


def _reach_of_call(tokens: Tokens, at: int) -> Reach:
    if tokens.texts[at - 2] == "require":
        return Reach.LATER if tokens.scopes[at] else Reach.LOAD
    return Reach.TYPES if tokens.texts[at - 3] in ("typeof", "=", ":", "<", "|") else Reach.LATER


class Locator:
    """Finds the file a specifier names: relative, by an alias of the build, or by a package of the workspace."""

    def __init__(self, outlines: Mapping[str, Outline], documents: Mapping[str, str]) -> None:
        self._paths = frozenset(outlines)
        self._aliases = Aliases(documents)

    @staticmethod
    def node(path: str) -> str:
        """Return the module a file is: itself."""
        return path

    def find(self, path: str, need: Need) -> list[str]:
        """Return the file a specifier names."""
        for candidate in self._candidates(path, need.module):
            found = self._file(candidate)
            if found:
                return [found]
        return []

    def is_own(self, path: str, need: Need) -> bool:
        """Tell whether a specifier names source code of this repository."""
        names_code = "." not in need.module.rpartition("/")[2] or need.module.endswith(_ENDINGS)
        return (names_code and need.module.startswith(".")) or self._aliases.is_package(need.module, path)

    def _candidates(self, path: str, specifier: str) -> Iterator[str]:
        if specifier.startswith("."):
            relative = join(parent(path), specifier)
            return iter(() if relative is None else (relative,))
        return self._aliases.candidates(path, specifier)

    def _file(self, candidate: str) -> str:
        """Return the source file of a path that may lack its ending, or name what it is compiled to."""
        stem, dot, ending = candidate.rpartition(".")
        written = (f"{stem}{other}" for other in _WRITTEN_AS.get(f"{dot}{ending}", ()))
        completed = (f"{candidate}{ending}" for ending in _ENDINGS)
        index = (f"{candidate}/index{ending}".lstrip("/") for ending in _ENDINGS)
        return next((path for path in chain((candidate,), written, completed, index) if path in self._paths), "")
