"""Small habits that show in the tokens of a file, counted for and against."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from types import MappingProxyType

from instance.analysis.language import Role
from instance.analysis.tokens import Tokens

_KIND_OF = MappingProxyType(
    {
        **dict.fromkeys(("def", "fn", "func", "function"), "functions"),
        **dict.fromkeys(("class", "struct", "enum", "trait", "interface", "type"), "types"),
    }
)
_STYLES = (
    ("snake", re.compile(r"_*[a-z0-9]+(?:_[a-z0-9]+)+_*$")),
    ("camel", re.compile(r"[_$]*[a-z][a-z0-9]*[A-Z]\w*$")),
    ("pascal", re.compile(r"_*[A-Z][a-z0-9]\w*$")),
)
_CATCHERS = frozenset({"except", "catch"})


def counts(tokens: Tokens) -> dict[str, int]:
    """Return how often a file shows each habit, and its opposite; the names are in `customs.CUSTOMS`."""
    found = Counter(_names(tokens))
    reader = _READERS.get(tokens.language)
    if reader is not None:
        found.update(reader(tokens))
    return dict(sorted(found.items()))


def style(name: str) -> str:
    """Return how the words of a name are put together, "" when one word alone does not tell."""
    return next((known for known, shape in _STYLES if shape.match(name)), "")


def _names(tokens: Tokens) -> Iterator[str]:
    for at, role in enumerate(tokens.roles):
        kind = _KIND_OF.get(tokens.texts[at - 1]) if role == Role.DEFINITION and at else None
        found = style(tokens.texts[at]) if kind else ""
        if found:
            yield f"{kind}.{found}"


def _statements(tokens: Tokens) -> Iterator[list[str]]:
    """Yield the tokens of every statement, what lies in it included."""
    for start, end in zip(tokens.starts, tokens.ends, strict=True):
        yield tokens.texts[start:end]


def _python(tokens: Tokens) -> Iterator[str]:
    texts = tokens.texts
    for start, end, home in zip(tokens.starts, tokens.ends, tokens.homes, strict=True):
        first = texts[start] if start < end else ""
        if first == "raise" and end - start > 1 and _is_caught(tokens, home):
            yield "raised.from" if "from" in texts[start:end] else "raised.bare"
    for text in texts:
        if text == "def":
            yield "defined"
        elif text == "->":
            yield "returns.typed"


def _is_caught(tokens: Tokens, body: int) -> bool:
    """Tell whether a body belongs to an `except` or `catch`: what opens it stands close before it."""
    start = tokens.body_starts[body]
    for text in reversed(tokens.texts[max(0, start - 12) : start]):
        if text in _CATCHERS:
            return True
        if text in ("try", "else", "finally", "if", "for", "while", "with", "def", "class", ";", "{", "}"):
            return False
    return False


def _java(tokens: Tokens) -> Iterator[str]:
    texts = tokens.texts
    for start, end, home in zip(tokens.starts, tokens.ends, tokens.homes, strict=True):
        if texts[start : start + 2] == ["throw", "new"] and _is_caught(tokens, home):
            caught = texts[tokens.body_starts[home] - 2]
            yield "thrown.cause" if caught in texts[start:end] else "thrown.bare"
    for at, text in enumerate(texts):
        if text == "main" and texts[at - 3 : at] == ["public", "static", "void"]:
            yield "main"


def _go(tokens: Tokens) -> Iterator[str]:
    for texts in _statements(tokens):
        if texts[:2] == ["func", "main"]:
            yield "main"
        elif texts[:1] == ["return"]:
            if texts[-1] == "err":
                yield "returned.bare"
            elif "err" in texts and any("%w" in text or text in ("Wrap", "Wrapf", "WithMessage") for text in texts):
                yield "returned.wrapped"


def _rust(tokens: Tokens) -> Iterator[str]:
    texts = tokens.texts
    if any(texts[at : at + 4] == ["cfg", "(", "test", ")"] for at, text in enumerate(texts) if text == "cfg"):
        yield "tests"
        return  # what follows would count the tests, not the code
    for at, text in enumerate(texts):
        if text == "?" and at and texts[at - 1] in (")", "]", "}", "await"):
            yield "failed.passed-on"
        elif text == "unwrap" and texts[at - 1] == ".":
            yield "failed.unwrapped"


def _script(tokens: Tokens) -> Iterator[str]:
    texts = tokens.texts
    for at, text in enumerate(texts):
        following = texts[at + 1] if at + 1 < len(texts) else ""
        if text == "export" and following != "*":
            yield "exported.default" if following == "default" else "exported.named"
        elif text in ("const", "let", "var"):
            yield f"bound.{text}"
        elif text == "await":
            yield "awaited"
        elif text == "then" and following == "(" and texts[at - 1] == ".":
            yield "chained"


def _elixir(tokens: Tokens) -> Iterator[str]:
    for at, text in enumerate(tokens.texts):
        if text == "defmodule":
            yield "modules"
        elif text == "moduledoc" and tokens.texts[at - 1] == "@":
            yield "modules.documented"


_READERS: MappingProxyType[str, Callable[[Tokens], Iterator[str]]] = MappingProxyType(
    {
        "python": _python,
        "java": _java,
        "go": _go,
        "rust": _rust,
        "javascript": _script,
        "typescript": _script,
        "tsx": _script,
        "elixir": _elixir,
    }
)
