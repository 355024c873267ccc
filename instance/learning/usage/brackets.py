"""Where the brackets of a file close."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")
_NEAR_TOKENS: Final = 60


class Brackets:
    """Those of one file; most close nearby, and only when one does not all of them are matched."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    def closing(self, opened_at: int) -> int | None:
        """Return where the bracket at a place closes; None if there is none, or it never does."""
        if opened_at >= len(self.texts) or self.texts[opened_at] not in _OPENING:
            return None
        depth = 0
        for at, text in enumerate(self.texts[opened_at : opened_at + _NEAR_TOKENS], opened_at):
            if text in _OPENING:
                depth += 1
            elif text in _CLOSING:
                depth -= 1
                if depth == 0:
                    return at
        return self._matched.get(opened_at)

    @cached_property
    def _matched(self) -> dict[int, int]:
        closing: dict[int, int] = {}
        opened: list[int] = []
        for at, text in enumerate(self.texts):
            if text in _OPENING:
                opened.append(at)
            elif text in _CLOSING and opened:
                closing[opened.pop()] = at
        return closing
