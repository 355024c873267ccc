"""Rust: `use`, `mod` and paths from tokens, and the files they stand for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping

from instance.analysis.language import Role
from instance.analysis.tokens import Tokens
from instance.learning.architecture.outline import Need, Outline, Reach
from instance.learning.architecture.places import parent, parents
from instance.learning.imports import read_statement

_HEADS = frozenset({"crate", "super", "self"})
_ROOTS = frozenset({"lib", "main", "mod"})
_TARGETS = frozenset({"bin", "tests", "examples", "benches"})  # each file there is a crate of its own
Inline = tuple[int, int, str]
"""Where the body of `mod name { ... }` begins and ends, and its name."""


def needs(tokens: Tokens) -> Iterator[Need]:
    """Yield what a file uses, the modules it only declares, and the paths its code spells out."""
    inline = list(_inline_modules(tokens))
    used: set[int] = set()
    for start, end in tokens.imports:
        used.update(range(start, end))
        for item in read_statement(tokens.texts[start:end], tokens.language):
            module = _outside(item.module, inline, start)
            yield Need(module, (item.name,) if item.name else ())
    declared = list(_declared(tokens))
    yield from (Need(_outside(f"self::{name}", inline, at), (), Reach.HOLDS) for at, name in declared)
    for at, path in _paths(tokens, {name for _, name in declared}):
        if at not in used:
            yield Need(_outside(path, inline, at))


def _declared(tokens: Tokens) -> Iterator[tuple[int, str]]:
    """Yield the modules whose code lies in another file, each with its place."""
    for at, text in enumerate(tokens.texts):
        if text == "mod" and tokens.texts[at + 2 : at + 3] == [";"]:
            yield at, tokens.texts[at + 1]


def _inline_modules(tokens: Tokens) -> Iterator[Inline]:
    for start, end in zip(tokens.body_starts, tokens.body_ends, strict=True):
        if start > 1 and tokens.texts[start - 2] == "mod":
            yield start, end, tokens.texts[start - 1]


def _outside(path: str, inline: list[Inline], at: int) -> str:
    """Return a path as it would be written outside the modules that lie within the file."""
    names = [name for start, end, name in inline if start < at < end]
    if not names or path.partition("::")[0] not in ("self", "super"):
        return path
    return "::".join(("self", *names, path))


def _paths(tokens: Tokens, declared: set[str]) -> Iterator[tuple[int, str]]:
    """Yield the paths in the code that begin with `crate`, `super`, `self` or a module the file declares."""
    texts, roles = tokens.texts, tokens.roles
    for at, text in enumerate(texts[:-1]):
        if texts[at + 1] != "::" or (at and texts[at - 1] == "::"):
            continue
        if text in _HEADS or text in declared:
            end = at + 1
            while texts[end : end + 1] == ["::"] and _is_name(roles, end + 1):
                end += 2
            path = "".join(texts[at:end])
            yield at, path if text in _HEADS else f"self::{path}"


def _is_name(roles: bytearray, at: int) -> bool:
    return at < len(roles) and roles[at] in (Role.NAME, Role.FIELD)


class Locator:
    """Finds the file of a module: files lie where their modules do, below the sources of their crate."""

    def __init__(self, outlines: Mapping[str, Outline], documents: Mapping[str, str]) -> None:
        manifests = {parent(path): text for path, text in documents.items() if path.rpartition("/")[2] == "Cargo.toml"}
        self._crates = {
            parent(parent(path)) for path in outlines if path.endswith(("src/lib.rs", "src/main.rs"))
        } | set(manifests)
        self._by_name = {name: directory for directory, text in manifests.items() for name in _names(text)}
        self._place = {path: self._placed(path) for path in outlines}
        self._file = {place: path for path, place in sorted(self._place.items(), reverse=True)}

    @staticmethod
    def node(path: str) -> str:
        """Return the module a file is: itself."""
        return path

    def find(self, path: str, need: Need) -> list[str]:
        """Return the files of the longest known parts of the paths that are used."""
        start = self._start(path, need.module)
        if start is None:
            return []
        crate, base = start
        ends = [base if name in ("", "*", "self") else (*base, name) for name in need.names or ("",)]
        return sorted({found for end in ends if (found := self._longest(crate, end))})

    def is_own(self, path: str, need: Need) -> bool:
        """Tell whether a path begins in this repository."""
        return self._start(path, need.module) is not None

    def _start(self, path: str, module: str) -> tuple[str, tuple[str, ...]] | None:
        """Return the crate a path leads through, and the path from its root."""
        crate, here = self._place[path]
        head, *rest = module.split("::")
        if head == "crate":
            return crate, tuple(rest)
        if head in ("self", "super"):
            return crate, _walk(here, [head, *rest])
        if (crate, (*here, head)) in self._file:
            return crate, (*here, head, *rest)
        other = self._by_name.get(head)
        return None if other is None else (other, tuple(rest))

    def _longest(self, crate: str, path: tuple[str, ...]) -> str:
        for length in range(len(path), -1, -1):
            found = self._file.get((crate, path[:length]))
            if found:
                return found
        return ""

    def _placed(self, path: str) -> tuple[str, tuple[str, ...]]:
        """Return a file's crate and the path of its module there."""
        crate = next((directory for directory in parents(path) if directory in self._crates), "")
        below = path[len(crate) :].lstrip("/").removesuffix(".rs").removeprefix("src/").split("/")
        if len(below) > 1 and below[0] in _TARGETS:
            return f"{crate}/{'/'.join(below[:2])}", tuple(part for part in below[2:] if part not in _ROOTS)
        if below[-1] in _ROOTS:
            below.pop()
        return crate, tuple(below)


def _walk(here: tuple[str, ...], steps: list[str]) -> tuple[str, ...]:
    """Follow `self`, `super` and names from a module."""
    for step in steps:
        if step == "super":
            here = here[:-1]
        elif step != "self":
            here = (*here, step)
    return here


def _names(manifest: str) -> list[str]:
    """Return what code calls the library of a `Cargo.toml`."""
    try:
        document = tomllib.loads(manifest)
    except tomllib.TOMLDecodeError:
        return []
    named = (document.get(section) for section in ("package", "lib"))
    names = (section.get("name") for section in named if isinstance(section, dict))
    return [name.replace("-", "_") for name in names if isinstance(name, str)]
