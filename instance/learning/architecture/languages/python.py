"""Python: imports from tokens, and the files they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from instance.analysis.tokens import Tokens
from instance.learning.architecture.outline import Need, Outline, Reach
from instance.learning.architecture.places import join, parent, parents
from instance.learning.imports import aliased, separated
from instance.learning.vocabulary import vocabulary

_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg")


def needs(tokens: Tokens) -> Iterator[Need]:
    """Yield what a file imports; under `if TYPE_CHECKING:` it is for types alone, in a function or class for later."""
    statements = {start: statement for statement, start in enumerate(tokens.starts)}
    for start, end in tokens.imports:
        reach = Reach.LATER if tokens.scopes[start] else Reach.LOAD
        if _is_for_types(tokens, statements.get(start, 0)):
            reach = Reach.TYPES
        yield from _read(tokens.texts[start:end], reach)


def _read(texts: list[str], reach: Reach) -> Iterator[Need]:
    if texts[0] == "from" and "import" in texts:
        at = texts.index("import")
        names = (aliased(part)[0] for part in separated(texts[at + 1 :]))
        yield Need("".join(texts[1:at]), tuple(name for name in names if name), reach)
    elif texts[0] == "import":
        modules = (aliased(part)[0] for part in separated(texts[1:]))
        yield from (Need(module, (), reach) for module in modules if module)


def _is_for_types(tokens: Tokens, statement: int) -> bool:
    body = tokens.homes[statement]
    while body > 0:
        head = tokens.texts[max(0, tokens.body_starts[body] - 5) : tokens.body_starts[body]]
        if head[-3:] == ["if", "TYPE_CHECKING", ":"] or (
            head[:1] == ["if"] and head[2:] == [".", "TYPE_CHECKING", ":"]
        ):
            return True
        body = tokens.homes[tokens.owners[body]]
    return False


class Locator:
    """Finds the file an import stands for: from its own source root first, then from every other."""

    def __init__(self, outlines: Mapping[str, Outline], documents: Mapping[str, str]) -> None:
        self._file: dict[str, str] = {}
        for path in sorted(outlines, key=_weight):
            self._file[_module(path)] = path
        self._packages = {parent(path) for path in outlines if path.endswith(("/__init__.py", "/__init__.pyi"))}
        self._standard = vocabulary("python").modules
        self._tops = self._roots_by_top(outlines, documents)

    @staticmethod
    def node(path: str) -> str:
        """Return the module a file is: itself."""
        return path

    def find(self, path: str, need: Need) -> list[str]:
        """Return the files an import names: the module itself, or submodules it takes by name."""
        for base in self._bases(path, need.module):
            found = {
                self._file.get(f"{base}/{name}".lstrip("/")) or self._file.get(base) for name in need.names or ("*",)
            }
            if found != {None}:
                return sorted(file for file in found if file)
        return []

    def is_own(self, path: str, need: Need) -> bool:
        """Tell whether an import names this repository, be it found or not."""
        return need.module.startswith(".") or bool(self._bases(path, need.module))

    def _bases(self, path: str, module: str) -> list[str]:
        """Return the paths, without an ending, that a module may have, the likeliest first."""
        below = module.lstrip(".")
        if len(below) < len(module):
            start = join(parent(path), "../" * (len(module) - len(below) - 1))
            return [] if start is None else [f"{start}/{below.replace('.', '/')}".strip("/")]
        top = below.partition(".")[0]
        roots = self._tops.get(top, ())
        own = self._root(path)
        if own not in roots and top in self._standard:
            return []
        ordered = [own, *(root for root in roots if root != own)] if own in roots else roots
        return [f"{root}/{below.replace('.', '/')}".lstrip("/") for root in ordered]

    def _root(self, path: str) -> str:
        directory = parent(path)
        while directory in self._packages:
            directory = parent(directory)
        return directory

    def _roots_by_top(self, paths: Iterable[str], documents: Mapping[str, str]) -> dict[str, list[str]]:
        """Return the directories that hold a top-level package or module of a name, the shortest first."""
        named = {parent(path) for path in documents if path.rpartition("/")[2] in _MANIFESTS}
        sources = {"", "src", "lib", *named, *(f"{directory}/src".lstrip("/") for directory in named)}
        found: dict[str, set[str]] = {}
        for path in paths:
            module = _module(path)
            for root in {self._root(path), *(sources.intersection(parents(module)))}:
                top = module[len(root) :].lstrip("/").partition("/")[0]
                found.setdefault(top, set()).add(root)
        return {top: sorted(roots, key=lambda root: (len(root), root)) for top, roots in found.items()}


def _module(path: str) -> str:
    stem = path.rpartition(".")[0]
    return parent(path) if stem.rpartition("/")[2] == "__init__" else stem


def _weight(path: str) -> tuple[int, int, str]:
    """Order files so that the one Python would take comes last: a package before a module, code before a stub."""
    return path.endswith(".py"), path.rpartition("/")[2].startswith("__init__."), path
