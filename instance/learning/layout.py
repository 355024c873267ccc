"""Which tokens and marks a statement is written with: its bodies folded away, or in full."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

from instance.analysis.languages import LANGUAGES
from instance.analysis.tokens import NOWHERE, Tokens
from instance.learning.templates import BREAK, FOLD

Item = int | str  # a token's index, or a mark


class Layout:
    """The statements of one file as sequences of items."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.language = LANGUAGES[tokens.language]
        self.folds = self._outermost_bodies()

    def folded(self, statement: int) -> list[Item]:
        """Return the statement with every body as `{…}`."""
        at, end = self.tokens.starts[statement], self.tokens.ends[statement]
        items: list[Item] = []
        for body in self.folds.get(statement, ()):
            items.extend(range(at, self.tokens.body_starts[body]))
            items.append(FOLD)
            at = self.tokens.body_ends[body]
        items.extend(range(at, end))
        return items

    def unfolded(self, statement: int) -> list[Item]:
        """Return the statement in full, with breaks between the statements of a body."""
        start, end = self.tokens.starts[statement], self.tokens.ends[statement]
        opening, closing = self._braces
        breaks = self._breaks
        items: list[Item] = []
        for at in range(start, end):
            items.extend("}" for body_start in closing.get(at, ()) if body_start > start)
            if at in breaks and at != start:
                items.append(BREAK)
            if at in opening and at != start:
                items.append("{")
            items.append(at)
        items.extend("}" for body_start in closing.get(end, ()) if body_start > start)
        return items

    def _outermost_bodies(self) -> dict[int, list[int]]:
        tokens = self.tokens
        folds: dict[int, list[int]] = {}
        for body, owner in enumerate(tokens.owners):
            if owner == NOWHERE:
                continue
            known = folds.setdefault(owner, [])
            if not known or tokens.body_starts[body] >= tokens.body_ends[known[-1]]:
                known.append(body)
        return folds

    @cached_property
    def _members(self) -> dict[int, list[int]]:
        """The statements of each body that have any token left."""
        members: dict[int, list[int]] = defaultdict(list)
        for statement, home in enumerate(self.tokens.homes):
            if self.tokens.ends[statement] > self.tokens.starts[statement]:
                members[home].append(statement)
        return members

    @cached_property
    def _breaks(self) -> frozenset[int]:
        starts = self.tokens.starts
        return frozenset(starts[statement] for group in self._members.values() for statement in group[1:])

    @cached_property
    def _braces(self) -> tuple[set[int], dict[int, list[int]]]:
        """Where indentation needs braces: around bodies of more than one simple statement."""
        opening: set[int] = set()
        closing: dict[int, list[int]] = {}
        if not self.language.indented:
            return opening, closing
        tokens = self.tokens
        for body in range(len(tokens.owners) - 1, 0, -1):
            group = self._members.get(body, ())
            if len(group) > 1 or any(statement in self.folds for statement in group):
                opening.add(tokens.body_starts[body])
                closing.setdefault(tokens.body_ends[body], []).append(tokens.body_starts[body])
        return opening, closing
