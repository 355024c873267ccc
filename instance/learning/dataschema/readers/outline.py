"""Which statement lies in which: the shape of one file above its tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from instance.analysis.tokens import NOWHERE, Tokens

FILE = NOWHERE


class Outline:
    """The statements of one file as a tree; a statement is its index in `Tokens`, FILE is the file itself."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._children: defaultdict[int, list[int]] = defaultdict(list)
        self._body_of: dict[int, int] = {}
        for body, owner in enumerate(tokens.owners):
            self._body_of.setdefault(owner, body)
        for statement, home in enumerate(tokens.homes):
            owner = tokens.owners[home] if home != NOWHERE else FILE
            if owner != statement:
                self._children[owner].append(statement)

    def children(self, statement: int = FILE) -> list[int]:
        """The statements directly inside a statement, in order."""
        return self._children.get(statement, [])

    def below(self, statement: int = FILE) -> Iterator[int]:
        """Yield every statement inside a statement, in order of the text."""
        waiting = self.children(statement)[::-1]
        while waiting:
            current = waiting.pop()
            yield current
            waiting.extend(self.children(current)[::-1])

    def texts(self, statement: int) -> list[str]:
        """The texts of a whole statement."""
        return self.tokens.texts[self.tokens.starts[statement] : self.tokens.ends[statement]]

    def head(self, statement: int) -> list[str]:
        """The texts of a statement before its body: the whole statement when it has none."""
        body = self._body_of.get(statement)
        end = self.tokens.ends[statement] if body is None else self.tokens.body_starts[body]
        return self.tokens.texts[self.tokens.starts[statement] : end]
