"""Walking over the tokens of one SQL statement."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.readers.sql_tokens import NAME, NUMBER, STRING, Statement

_DEFAULT_SCHEMAS = frozenset({"public", "dbo", "main"})
_NOT_NAMES = frozenset({STRING, NUMBER})


class Cursor:
    """A place in a statement; what it takes, it moves over."""

    def __init__(self, statement: Statement, start: int = 0, end: int | None = None) -> None:
        self.keys, self.texts = statement
        self.statement = statement
        self.at = start
        self.end = len(self.keys) if end is None else end

    @property
    def key(self) -> str:
        """The key here; "" at the end."""
        return self.keys[self.at] if self.at < self.end else ""

    def sees(self, *keys: str) -> bool:
        """Tell whether these keys follow."""
        return self.keys[self.at : min(self.at + len(keys), self.end)] == list(keys)

    def takes(self, words: str) -> bool:
        """Move over these words if they follow, and tell whether they did."""
        keys = words.split()
        if not self.sees(*keys):
            return False
        self.at += len(keys)
        return True

    def skip(self, words: frozenset[str]) -> list[str]:
        """Move over any of these words; return those that were there."""
        start = self.at
        while self.key in words:
            self.at += 1
        return self.keys[start : self.at]

    def name(self) -> str:
        """Take a name, which may be qualified; "" when none stands here."""
        parts = []
        while (key := self.key) and (key == NAME or (key not in _NOT_NAMES and _is_word(key))):
            parts.append(unquoted(self.texts[self.at]))
            self.at += 1
            if self.key != ".":
                break
            self.at += 1
        if len(parts) > 1 and parts[-2].lower() in _DEFAULT_SCHEMAS:
            parts = parts[-1:]
        return ".".join(parts[-2:])

    def first_name(self) -> str:
        """Return the first name from here on, however deep in an expression it stands; "" when there is none.

        A function is no name: what it is called with may be.
        """
        for at in range(self.at, self.end):
            key = self.keys[at]
            called = at + 1 < self.end and self.keys[at + 1] == "("
            if key == NAME or (_is_word(key) and not (called and at + 2 < self.end and self.keys[at + 2] != NUMBER)):
                return unquoted(self.texts[at])
        return ""

    def brackets(self) -> Cursor | None:
        """Take what stands in parentheses here; None when there are none."""
        if self.key != "(":
            return None
        start, depth = self.at + 1, 0
        while self.at < self.end:
            depth += {"(": 1, ")": -1}.get(self.keys[self.at], 0)
            self.at += 1
            if depth == 0:
                return Cursor(self.statement, start, self.at - 1)
        return Cursor(self.statement, start, self.end)

    def items(self) -> Iterator[Cursor]:
        """Yield what stands between the commas from here on."""
        depth, start = 0, self.at
        for at in range(self.at, self.end):
            key = self.keys[at]
            depth += {"(": 1, ")": -1}.get(key, 0)
            if key == "," and depth == 0:
                yield Cursor(self.statement, start, at)
                start = at + 1
        yield Cursor(self.statement, start, self.end)


def unquoted(name: str) -> str:
    """Return a name without its quotes, be they of any dialect."""
    quote = name[:1]
    if quote in ('"', "`"):
        return name[1:].removesuffix(quote).replace(quote * 2, quote)
    return name[1:-1] if quote == "[" else name


def _is_word(key: str) -> bool:
    return key[0].isalpha() or key[0] == "_"
