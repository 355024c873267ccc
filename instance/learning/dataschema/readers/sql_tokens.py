"""SQL text as statements of tokens, for any of the dialects of PostgreSQL, MySQL and SQLite.

One regular expression that never backtracks finds the tokens: whatever the text is, it is read in linear time. Only
statements that can change a schema are kept; the rows of a dump pass by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from instance.learning.dataschema.changes import LeftOut

MAX_SQL_CHARACTERS: Final = 4 << 20
MAX_STATEMENT_TOKENS: Final = 50_000
NAME, STRING, NUMBER = '"', "'", "0"
"""Keys of the tokens that are no words and no marks."""

_GRAMMAR = r"""
    (?P<skip> \s++ | --[^\n]*+ | /\*(?s:.)*?(?:\*/|\Z) | \\[^\n]*+ {hash} )
  | (?P<string> [eE]'(?:[^'\\]|\\(?s:.)|'')*+(?:'|\Z) | '(?:{inside}|'')*+(?:'|\Z)
              | \$(?P<tag>(?:[^\W\d]\w*)?)\$(?s:.)*?(?:\$(?P=tag)\$|\Z) )
  | (?P<name> "(?:[^"]|"")*+(?:"|\Z) | `(?:[^`]|``)*+(?:`|\Z) | \[[^\W\d][\w\x20$.-]*+\] )
  | (?P<word> [^\W\d][\w$]*+ )
  | (?P<number> \d[\w.]*+ )
  | (?P<mark> . )
"""
_STANDARD = re.compile(_GRAMMAR.format(hash="", inside="[^']"), re.VERBOSE)
_MYSQL = re.compile(_GRAMMAR.format(hash=r"| \#[^\n]*+", inside=r"[^'\\]|\\(?s:.)"), re.VERBOSE)
_IS_MYSQL = re.compile(r"`|\bENGINE\s*=|\bAUTO_INCREMENT\b", re.IGNORECASE)
_ROWS_OF_A_DUMP = re.compile(r"(?ms)^COPY [^;\n]*FROM stdin;.*?(?:^\\\.$|\Z)")
_BATCH_END = re.compile(r"(?mi)^GO[ \t\r]*$")
_BACKWARDS = re.compile(
    r"(?ms)^--[ \t]*(?:\+goose Down|\+migrate Down|migrate:down|rambler down)\b"
    r".*?(?=^--[ \t]*(?:\+goose Up|\+migrate Up|migrate:up|rambler up)\b|\Z)"
)
_CHANGES_A_SCHEMA = frozenset({"CREATE", "ALTER", "DROP", "RENAME"})


class Statement(NamedTuple):
    """The tokens of one statement: `keys` are upper-case words, marks, or NAME, STRING, NUMBER; `texts` as written."""

    keys: list[str]
    texts: list[str]


def statements(text: str) -> Iterator[Statement | LeftOut]:
    """Yield every statement that may change the schema, forwards: what undoes a migration is not among them."""
    if len(text) > MAX_SQL_CHARACTERS:
        yield LeftOut("too_large")
        return
    text = _BATCH_END.sub(";", _ROWS_OF_A_DUMP.sub("", _BACKWARDS.sub("", text)))
    token = _MYSQL if _IS_MYSQL.search(text) else _STANDARD
    keys: list[str] = []
    texts: list[str] = []
    for match in token.finditer(text):
        kind = match.lastgroup
        if kind == "skip":
            continue
        found = match.group()
        if found == ";":
            yield from _finished(keys, texts)
            keys, texts = [], []
        elif not keys or keys[0] in _CHANGES_A_SCHEMA:
            keys.append(_key(kind, found))
            texts.append(found)
    yield from _finished(keys, texts)


def _finished(keys: list[str], texts: list[str]) -> Iterator[Statement | LeftOut]:
    if len(keys) > MAX_STATEMENT_TOKENS:
        yield LeftOut("statement_too_long")
    elif keys and keys[0] in _CHANGES_A_SCHEMA:
        yield Statement(keys, texts)


def _key(kind: str | None, found: str) -> str:
    if kind == "word":
        return found.upper()
    if kind == "mark":
        return found
    return {"name": NAME, "number": NUMBER}.get(kind or "", STRING)
