"""Which templates are part of one another: an index over chosen ones, so that nobody compares each with each.

If one text contains another, the inner tokens of the shorter one stand whole in the longer one. So a template can be
part only of those that hold its longest inner token, and can hold only those whose longest inner token it holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

_NEARLY_THE_SAME = 0.8


class Compared(NamedTuple):
    """A template as it is compared, its longest inner token, which is seldom a common one, and its support."""

    text: str
    token: str
    files: int


def compared(template: str, files: int) -> Compared:
    """Return a template as it is compared: all holes alike, so that their numbering does not hide containment."""
    parts = ["$" if part[0] == "$" else part for part in template.split(" ")]
    return Compared(" ".join(parts), max(parts[1:-1], key=len, default=""), files)


class Containment:
    """The templates chosen so far."""

    def __init__(self) -> None:
        self._by_token: defaultdict[str, list[Compared]] = defaultdict(list)
        self._by_longest: defaultdict[str, list[Compared]] = defaultdict(list)

    def choose(self, one: Compared) -> None:
        """Add a template."""
        self._by_longest[one.token].append(one)
        for token in _tokens(one):
            self._by_token[token].append(one)

    def makes_redundant(self, one: Compared) -> bool:
        """Tell whether a template is part of a chosen one, or the reverse, with nearly the same support."""
        return any(
            _nearly_the_same(one.files, other.files) and (one.text in other.text or other.text in one.text)
            for other in self._alike(one)
        )

    def _alike(self, one: Compared) -> Iterator[Compared]:
        """Go through the chosen ones that may hold this template, then those it may hold."""
        yield from self._by_token.get(one.token, ())
        for token in _tokens(one):
            yield from self._by_longest.get(token, ())


def _tokens(one: Compared) -> set[str]:
    """Return what is in a template; the empty token of those too short for an inner one is in all."""
    return {*one.text.split(" "), ""}


def _nearly_the_same(files: int, others: int) -> bool:
    return min(files, others) >= max(files, others) * _NEARLY_THE_SAME
