"""The functions, methods and classes of a file as the units that are searched.

What is too large to be read at once is told apart: a class, and a function of many lines, stands for what is in it
beside its members, and each member for itself. A chunk's words never leave the machine.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import numpy as np
from msgspec import Struct

from instance.analysis.language import CLASS
from instance.analysis.tokens import Definition, Tokens
from instance.learning.search.bm25 import NAME_WEIGHT
from instance.learning.search.subtokens import bag

CHUNKS_MAX: Final = 2000
"""Of one file."""
FUNCTION_BYTES_MAX: Final = 6000
"""A larger function's named members are chunks of their own."""
WORDS_BYTES_MAX: Final = 1 << 14
"""Of one chunk; what follows is not searched."""
EXCERPT_LETTERS_MAX: Final = 2000
NAME_LETTERS_MAX: Final = 200
_INDENT_BYTES_MAX: Final = 1000  # what begins further right was written by a machine
_LEAD_LINES_MAX: Final = 60
_LEAD = re.compile(rb"\s*(?:///?|/\*|\*|#|@|--)")
_QUOTES: Final = b'"""'
_NEWLINE: Final = ord("\n")


class Chunk(Struct, frozen=True, gc=False):
    """One definition with the comments above it, and its subtokens with their counts.

    `within` names the definitions around it, outermost first; `digest` is of its excerpt.
    """

    kind: str
    name: str
    within: str
    start_line: int
    end_line: int
    digest: bytes
    words: dict[str, int]

    @property
    def qualified_name(self) -> str:
        """Return the name with what is around it: `Outer.Inner.method`."""
        return f"{self.within}.{self.name}" if self.within else self.name


def chunks(source: bytes, tokens: Tokens, path: str) -> list[Chunk]:
    """Return the chunks of a parsed file in the order of their starts, at most `CHUNKS_MAX`."""
    lines = Lines(source)
    units = _units(tokens.definitions, lines)
    return [_chunk(unit, lines, path.rpartition(".")[0]) for unit in units[:CHUNKS_MAX]]


class Lines:
    """A source as numbered lines, the first of which is 1."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.starts = [0, *(np.flatnonzero(np.frombuffer(source, np.uint8) == _NEWLINE) + 1).tolist()]

    def number(self, offset: int) -> int:
        """Return the number of the line a byte stands in."""
        return bisect_right(self.starts, offset)

    def line(self, number: int) -> bytes:
        """Return one line without what ends it."""
        return self.source[self.starts[number - 1] : self.end(number)].rstrip(b"\r\n")

    def end(self, number: int) -> int:
        """Return where the line after this one begins."""
        return self.starts[number] if number < len(self.starts) else len(self.source)

    def excerpt(self, start: int, end: int) -> str:
        """Return the first letters of some lines, both included: what a person is shown and a sentence model reads."""
        if start > len(self.starts):
            return ""
        first = self.starts[start - 1]
        last = min(self.end(end), first + 4 * EXCERPT_LETTERS_MAX)
        return self.source[first:last].decode("utf-8", "replace")[:EXCERPT_LETTERS_MAX]


def digest_of(excerpt: str) -> bytes:
    """Return what tells one excerpt from another, 16 bytes."""
    return blake2b(excerpt.encode(), digest_size=16).digest()


@dataclass(slots=True)
class _Unit:
    """A definition that is a chunk, with its members that are."""

    definition: Definition
    within: str
    start_line: int
    members: list[_Unit] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the name with what is around it."""
        return f"{self.within}.{self.definition.name}" if self.within else self.definition.name

    @property
    def is_divided(self) -> bool:
        """Tell whether members are chunks of their own."""
        size = self.definition.end_byte - self.definition.start_byte
        return self.definition.kind == CLASS or size > FUNCTION_BYTES_MAX


def _units(definitions: Sequence[Definition], lines: Lines) -> list[_Unit]:
    """Choose the definitions that are chunks: those in no other one, and the members of what is divided."""
    chosen: list[_Unit] = []
    around: list[_Unit] = []
    for definition in map(_presentable, definitions):
        while around and around[-1].definition.end_byte <= definition.start_byte:
            around.pop()
        line = lines.number(definition.start_byte)
        if (around and not around[-1].is_divided) or definition.start_byte - lines.starts[line - 1] > _INDENT_BYTES_MAX:
            continue
        unit = _unit(definition, around[-1] if around else None, line, lines)
        chosen.append(unit)
        around.append(unit)
    return chosen


def _presentable(definition: Definition) -> Definition:
    """Return a definition with a name that fits into a line and a database: hostile code has others."""
    return definition._replace(name=definition.name.replace("\0", "")[:NAME_LETTERS_MAX])


def _unit(definition: Definition, parent: _Unit | None, line: int, lines: Lines) -> _Unit:
    if parent is None:
        return _Unit(definition, "", _lead(lines, line, 1))
    unit = _Unit(definition, parent.name, _lead(lines, line, lines.number(parent.definition.start_byte) + 1))
    parent.members.append(unit)
    return unit


def _lead(lines: Lines, line: int, first: int) -> int:
    """Return the line at which the comments and attributes directly above a definition begin."""
    start = line
    while start > max(first, line - _LEAD_LINES_MAX):
        above = lines.line(start - 1)
        if above.strip() == _QUOTES:  # what Elixir says of a function is a text over several lines
            opened = _opened(lines, start - 1, max(first, line - _LEAD_LINES_MAX))
            if opened is None:
                break
            start = opened
        elif _LEAD.match(above):
            start -= 1
        else:
            break
    return start


def _opened(lines: Lines, closed: int, first: int) -> int | None:
    """Return the line of the attribute that holds a text over several lines, given the line at which that is closed."""
    for number in range(closed - 1, first - 1, -1):
        line = lines.line(number).strip()
        if line.endswith(_QUOTES):
            return number if line.startswith(b"@") else None
    return None


def _chunk(unit: _Unit, lines: Lines, path: str) -> Chunk:
    definition = unit.definition
    end_line = lines.number(max(definition.end_byte - 1, definition.start_byte))
    names = [definition.name] * NAME_WEIGHT
    return Chunk(
        kind=definition.kind,
        name=definition.name,
        within=unit.within,
        start_line=unit.start_line,
        end_line=end_line,
        digest=digest_of(lines.excerpt(unit.start_line, end_line)),
        words=bag(" ".join([path, unit.within, *names, *_own_text(unit, lines)])),
    )


def _own_text(unit: _Unit, lines: Lines) -> Iterator[str]:
    """Yield what a chunk says itself: all but its members, of which it has the names."""
    at, left = lines.starts[unit.start_line - 1], WORDS_BYTES_MAX
    for member in unit.members:
        part = lines.source[at : min(lines.starts[member.start_line - 1], at + left)]
        left -= len(part)
        yield part.decode("utf-8", "replace")
        yield member.definition.name
        at = member.definition.end_byte
    yield lines.source[at : min(unit.definition.end_byte, at + left)].decode("utf-8", "replace")
