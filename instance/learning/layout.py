"""Which tokens and marks a statement is written with: its bodies folded away, or in full."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

from instance.analysis.languages import LANGUAGES
from instance.analysis.tokens import NOWHERE, Tokens
from instance.learning.templates import BREAK, CLOSE, FOLD, OPEN


class Layout:
    """The statements of one file as sequences of items: indexes of tokens, and the negative numbers of marks."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.language = LANGUAGES[tokens.language]
        self.folds = self._outermost_bodies()

    def folded(self, statement: int) -> list[int]:
        """Return the statement with every body as `{…}`."""
        at, end = self.tokens.starts[statement], self.tokens.ends[statement]
        items: list[int] = []
        for body in self.folds.get(statement, ()):
            items.extend(range(at, self.tokens.body_starts[body]))
            items.append(FOLD)
            at = self.tokens.body_ends[body]
        items.extend(range(at, end))
        return items

    def unfolded(self, statement: int) -> list[int]:
        """Return the statement in full, with breaks between the statements of a body."""
        start, end = self.tokens.starts[statement], self.tokens.ends[statement]
        return self._braced(start, end) if self.language.indented else self._broken(statement, start, end)

    def _broken(self, statement: int, start: int, end: int) -> list[int]:
        starts = self.tokens.starts
        items: list[int] = []
        at = start
        for inner in range(statement + 1, len(starts)):  # in order of their starts, so the inner ones come next
            if starts[inner] >= end:
                break
            if inner in self._followers:
                items.extend(range(at, starts[inner]))
                items.append(BREAK)
                at = starts[inner]
        items.extend(range(at, end))
        return items

    def _braced(self, start: int, end: int) -> list[int]:
        opening, closing, breaks = self._braces
        items: list[int] = []
        for at in range(start, end):
            if at in closing:
                items.extend(CLOSE for body_start in closing[at] if body_start > start)
            if at in breaks and at != start:
                items.append(BREAK)
            if at in opening and at != start:
                items.append(OPEN)
            items.append(at)
        items.extend(CLOSE for body_start in closing.get(end, ()) if body_start > start)
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
    def _followers(self) -> frozenset[int]:
        """The statements that follow another one in their body."""
        return frozenset(statement for group in self._members.values() for statement in group[1:])

    @cached_property
    def _braces(self) -> tuple[set[int], dict[int, list[int]], set[int]]:
        """Where indentation needs braces, around bodies of more than one simple statement, and where breaks."""
        tokens = self.tokens
        opening: set[int] = set()
        closing: dict[int, list[int]] = {}
        for body in range(len(tokens.owners) - 1, 0, -1):
            group = self._members.get(body, ())
            if len(group) > 1 or any(statement in self.folds for statement in group):
                opening.add(tokens.body_starts[body])
                closing.setdefault(tokens.body_ends[body], []).append(tokens.body_starts[body])
        return opening, closing, {tokens.starts[statement] for statement in self._followers}
