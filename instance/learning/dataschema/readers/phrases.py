"""Reading calls, arguments and names from flat token texts, whatever the language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_CALLS: Final = 64
"""Of one chain `a(..).b(..).c(..)`."""
_OPENERS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_DOTS = frozenset({".", "?.", "::"})
_QUOTES = "\"'`"
_TEXT = re.compile(r"""[rRuUbB]{0,2}("{3}|'{3}|["'`])(.*)\1""", re.DOTALL)
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_EQUALS = frozenset({"=", ":"})


class Call(NamedTuple):
    """A call: its dotted name and its arguments, each the texts it consists of; `named` are those with a label."""

    path: str
    arguments: list[list[str]]
    named: dict[str, list[str]]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def first(self) -> list[str]:
        """The first unnamed argument; empty when there is none."""
        return self.arguments[0] if self.arguments else []

    def flag(self, label: str) -> bool | None:
        """Return what a named argument says when it is a plain true or false."""
        value = self.named.get(label, [])
        return value[0].lower() == "true" if len(value) == 1 and value[0].lower() in ("true", "false") else None

    def text(self, label: str) -> str:
        """Return a named argument that is a plain string or name; "" when it is not there."""
        value = self.named.get(label, [])
        return unquoted(value[0]) if len(value) == 1 else ""


NO_CALL: Final = Call("", [], {})
"""Stands for the call that is not there."""


def is_text(token: str) -> bool:
    """Tell whether a token is a string literal."""
    return token[-1:] in _QUOTES and _TEXT.fullmatch(token) is not None


def unquoted(token: str) -> str:
    """Return what a string literal or an atom says; anything else as it is."""
    match = _TEXT.fullmatch(token)
    return match[2] if match else token.removeprefix(":")


def only_text(part: list[str]) -> str:
    """Return what a part says that is one string literal and nothing else; "" for any other."""
    return unquoted(part[0]) if len(part) == 1 and is_text(part[0]) else ""


def texts_in(part: list[str]) -> tuple[str, ...]:
    """Return every string literal and atom of a part, in order, without quotes."""
    return tuple(unquoted(token) for token in part if is_text(token) or _is_atom(token))


def closing(texts: list[str], at: int) -> int:
    """Return the index of what closes the bracket at `at`; the length when nothing does."""
    depth = 0
    for index in range(at, len(texts)):
        depth += _OPENERS.get(texts[index], 0)
        if depth == 0:
            return index
    return len(texts)


def split(texts: list[str], separator: str = ",") -> Iterator[list[str]]:
    """Yield what stands between the separators that are in no bracket; never an empty part."""
    depth, start = 0, 0
    for index, text in enumerate(texts):
        depth += _OPENERS.get(text, 0)
        if text == separator and depth == 0:
            if index > start:
                yield texts[start:index]
            start = index + 1
    if start < len(texts):
        yield texts[start:]


def labelled(texts: list[str]) -> tuple[list[list[str]], dict[str, list[str]]]:
    """Sort the parts of an argument list, object or dictionary into those without and those with a label."""
    plain: list[list[str]] = []
    named: dict[str, list[str]] = {}
    for part in split(texts):
        if part[0].rstrip()[-1:] == ":" and len(part) > 1:
            named[part[0].rstrip()[:-1]] = part[1:]
        elif len(part) > 2 and part[1] in _EQUALS:  # noqa: PLR2004 - a label, a mark and something
            named[unquoted(part[0])] = part[2:]
        else:
            plain.append(part)
    return plain, named


def inside(texts: list[str]) -> list[str]:
    """Return what stands inside the bracket that the texts begin with; nothing when they begin with none."""
    return texts[1 : closing(texts, 0)] if texts and _OPENERS.get(texts[0], 0) > 0 else []


def chain(texts: list[str]) -> list[Call]:
    """Return the calls of `a.b(x).c(y)`, in order: `a.b` with x, `c` with y."""
    calls: list[Call] = []
    at = 0
    while at < len(texts) and len(calls) < MAX_CALLS:
        path, at = _path(texts, at)
        if not path or at >= len(texts) or texts[at] != "(":
            break
        end = closing(texts, at)
        calls.append(Call(path, *labelled(texts[at + 1 : end])))
        at = end + 1
        if at < len(texts) and texts[at] in _DOTS:
            at += 1
        else:
            break
    return calls


def last_name(texts: list[str]) -> str:
    """Return the last name of the dotted path the texts begin with: `String` of `sa.String(30)`."""
    return _path(texts, 0)[0].rpartition(".")[2]


def call(texts: list[str]) -> Call | None:
    """Return the call the texts begin with."""
    calls = chain(texts)
    return calls[0] if calls else None


def calls_of(texts: list[str], names: frozenset[str]) -> Iterator[Call]:
    """Yield every call, however deep, of a function whose last name is one of these; not those inside another one."""
    at = 0
    while at < len(texts):
        if texts[at] in names and texts[at + 1 : at + 2] == ["("]:
            end = closing(texts, at + 1)
            yield Call(texts[at], *labelled(texts[at + 2 : end]))
            at = end
        at += 1


def snake_case(name: str) -> str:
    """Return `UserID` as `user_id`."""
    return _WORD_ENDS.sub("_", name).lower()


def plural(name: str) -> str:
    """Return an English plural the way ORMs make it, without the irregular words."""
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "z", "ch", "sh")) else f"{name}s"


def _path(texts: list[str], at: int) -> tuple[str, int]:
    parts: list[str] = []
    while at < len(texts) and (texts[at][0].isalpha() or texts[at][0] in "_$"):
        parts.append(texts[at])
        at += 1
        if at >= len(texts) or texts[at] not in _DOTS:
            break
        at += 1
    return ".".join(parts), at


def _is_atom(token: str) -> bool:
    return len(token) > 1 and token[0] == ":" and token[1].isalpha()
