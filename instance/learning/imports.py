"""What a file imports: which of its names come from elsewhere, and from where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from instance.analysis.language import Role
from instance.analysis.tokens import Tokens

_VERSION_SUFFIX = re.compile(r"^v\d+$|\.v\d+$")


class Import(NamedTuple):
    """One imported name: the name it has in the file, the module, and its own name there ("": the module itself)."""

    local: str
    module: str
    name: str = ""


def read_imports(tokens: Tokens) -> list[Import]:
    """Return every import of a file, in order."""
    found: list[Import] = []
    for start, end in tokens.imports:
        found.extend(read_statement(tokens.texts[start:end], tokens.language))
    if tokens.language not in _READERS:
        found.extend(_required(tokens))
    if tokens.language == "elixir":
        found.extend(_elixir(tokens))
    return found


def read_statement(texts: Sequence[str], language: str) -> Iterator[Import]:
    """Yield what one import statement makes known, from its tokens."""
    return _READERS.get(language, _script)(texts)


def declared_modules(tokens: Tokens) -> frozenset[str]:
    """Return the module prefixes a file declares itself part of: they are the repository's own."""
    texts = tokens.texts
    if tokens.language == "java":
        declared = ("".join(texts[start + 1 : start + 4]) for start, _ in tokens.imports if texts[start] == "package")
        return frozenset(name.rstrip(";.") for name in declared)
    if tokens.language == "elixir":
        return frozenset(name.partition(".")[0] for word, name in pairwise(texts) if word == "defmodule")
    return frozenset()


def unquoted(literal: str) -> str:
    """Return what stands between the quotes of a plain string literal."""
    return literal.strip("\"'`")


def separated(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield what stands between commas, without parentheses."""
    part: list[str] = []
    for text in texts:
        if text == ",":
            yield part
            part = []
        elif text not in "()":
            part.append(text)
    yield part


def aliased(part: list[str]) -> tuple[str, str]:
    """Return (name, local name) of `a.b as c`; the local name is "" when none is given."""
    if "as" in part:
        at = part.index("as")
        return "".join(part[:at]), part[-1]
    return "".join(part), ""


def _python(texts: Sequence[str]) -> Iterator[Import]:
    if texts[0] == "from" and "import" in texts:
        at = texts.index("import")
        module = "".join(texts[1:at])
        for part in separated(texts[at + 1 :]):
            name, local = aliased(part)
            if name:
                yield Import(local or name, module, name)
    elif texts[0] == "import":
        for part in separated(texts[1:]):
            module, local = aliased(part)
            if module:
                yield Import(local, module) if local else Import(module.partition(".")[0], module.partition(".")[0])


def _script(texts: Sequence[str]) -> Iterator[Import]:
    if texts[2:5] == ["=", "require", "("] and len(texts) > 5:  # noqa: PLR2004 - `import a = require("b")`
        yield Import(texts[1], unquoted(texts[5]).removeprefix("node:"))
    if "from" not in texts:
        return
    at = len(texts) - 1 - texts[::-1].index("from")
    module = unquoted(texts[at + 1]).removeprefix("node:") if at + 1 < len(texts) else ""
    clause = [text for text in texts[1:at] if text != "type"]
    default, _, named = " ".join(clause).partition("{")
    for part in separated(default.replace(",", " , ").split()):
        if part:
            yield Import(part[-1], module)
    for part in separated(named.replace("}", "").replace(",", " , ").split()):
        name, local = aliased(part)
        if name == "default":
            yield Import(local, module)
        elif name:
            yield Import(local or name, module, name)


def _required(tokens: Tokens) -> Iterator[Import]:
    """Yield what `const x = require("y")` and `const { a, b: c } = require("y")` bind."""
    texts, roles = tokens.texts, tokens.roles
    for at, text in enumerate(texts):
        if text != "require" or texts[at + 1 : at + 2] != ["("] or texts[at - 1 : at] != ["="]:
            continue
        if roles[at + 2 : at + 3] != bytes([Role.STRING]):
            continue
        module = unquoted(texts[at + 2]).removeprefix("node:")
        if roles[at - 2] == Role.BINDING:
            yield Import(texts[at - 2], module)
        elif texts[at - 2] == "}":
            yield from _destructured(texts, at - 3, module)


def _destructured(texts: Sequence[str], at: int, module: str) -> Iterator[Import]:
    start = at
    while start > 0 and texts[start] != "{":
        start -= 1
    for part in separated(texts[start + 1 : at + 1]):
        if part and "..." not in part and "{" not in part:
            yield Import(part[-1], module, part[0])


def _go(texts: Sequence[str]) -> Iterator[Import]:
    if texts[0] != "import":
        return
    for at, text in enumerate(texts):
        if text[0] not in '"`':
            continue
        module = unquoted(text)
        before = texts[at - 1]
        if before in ("import", "(") or before[0] in '"`':
            yield Import(_go_package(module), module)
        elif before == ".":
            yield Import("*", module, "*")
        elif before != "_":
            yield Import(before, module)


def _go_package(path: str) -> str:
    """Return the name a Go package is known by: the last part of its path that is no version."""
    parts = [part for part in path.split("/") if not re.fullmatch(r"v\d+", part)]
    name = _VERSION_SUFFIX.sub("", parts[-1]) if parts else path
    return name.removeprefix("go-").removesuffix("-go").replace("-", "_")


def _java(texts: Sequence[str]) -> Iterator[Import]:
    if texts[0] != "import":
        return
    path = [text for text in texts[1:] if text not in (".", ";", "static")]
    if len(path) > 1:
        yield Import(path[-1], ".".join(path[:-1]), path[-1])


def _rust(texts: Sequence[str]) -> Iterator[Import]:
    if "use" not in texts:
        return
    yield from _rust_tree([text for text in texts[texts.index("use") + 1 :] if text != ";"], "")


def _rust_tree(texts: Sequence[str], prefix: str) -> Iterator[Import]:
    if "{" not in texts:
        name, local = aliased(list(texts))
        path = f"{prefix}::{name}" if prefix else name
        module, _, last = path.rpartition("::")
        if last == "self":
            module, _, last = module.rpartition("::")
        if last:
            yield Import(local or last, module or last, last if module else "")
        return
    at = texts.index("{")
    inner = "".join(texts[: max(at - 1, 0)])
    below = f"{prefix}::{inner}" if prefix and inner else prefix or inner
    for part in _branches(texts[at + 1 : -1]):
        yield from _rust_tree(part, below)


def _branches(texts: Sequence[str]) -> Iterator[list[str]]:
    depth = 0
    part: list[str] = []
    for text in texts:
        depth += (text == "{") - (text == "}")
        if text == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(text)
    yield part


def _elixir(tokens: Tokens) -> Iterator[Import]:
    """Yield what `alias A.B`, `alias A.B, as: C` and `alias A.{B, C}` make known."""
    texts = tokens.texts
    for start, end in zip(tokens.starts, tokens.ends, strict=True):
        if end - start < 2 or texts[start] != "alias":  # noqa: PLR2004 - the word and a module
            continue
        module, rest = texts[start + 1], texts[start + 2 : end]
        if rest[:2] == [".", "{"]:
            for name in rest[2:]:
                if name[0].isalpha():
                    yield Import(name.rpartition(".")[2], f"{module}.{name}")
        else:
            yield Import(rest[-1] if "as:" in (text.strip() for text in rest) else module.rpartition(".")[2], module)


_READERS: MappingProxyType[str, Callable[[Sequence[str]], Iterator[Import]]] = MappingProxyType(
    {"python": _python, "go": _go, "java": _java, "rust": _rust, "elixir": lambda _texts: iter(())}
)
