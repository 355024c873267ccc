"""Which events of an epoch are new: the watermark, what lies beyond it, and what arrives now. Pure.

Ranges are (first, last), both inclusive, disjoint and sorted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Range = tuple[int, int]


@dataclass
class Admission:
    """What one epoch has received: everything up to `wm`, and the ranges `beyond` it."""

    wm: int
    beyond: list[Range]

    def new(self, first: int, last: int) -> list[Range]:
        """Find the ranges of `first`..`last` that have not been received."""
        return missing(max(first, self.wm + 1), last, self.beyond)

    def admit(self, ranges: Sequence[Range]) -> None:
        """Count ranges as received, and move the watermark over everything contiguous."""
        self.beyond = merged([*self.beyond, *ranges])
        if self.beyond and self.beyond[0][0] <= self.wm + 1:
            self.wm = self.beyond.pop(0)[1]

    @property
    def gaps(self) -> tuple[Range, ...]:
        """Ranges missing below the highest received sequence."""
        return tuple(missing(self.wm + 1, self.beyond[-1][1], self.beyond)) if self.beyond else ()


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Join ranges that touch or overlap."""
    joined: list[Range] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def missing(first: int, last: int, known: Sequence[Range]) -> list[Range]:
    """Find what of `first`..`last` is in none of the known ranges."""
    gaps: list[Range] = []
    for known_first, known_last in known[max(0, bisect_left(known, (first, 0)) - 1) :]:
        if known_last < first:
            continue
        if known_first > last:
            break
        if known_first > first:
            gaps.append((first, known_first - 1))
        first = known_last + 1
    if first <= last:
        gaps.append((first, last))
    return gaps
