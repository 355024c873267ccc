"""Which patterns are worth showing: each by the bits it saves beyond those chosen before it.

The measure is description length. A pattern gives a name to what else is spelled out with each use. What a chosen
pattern already says is not new: of a variation only the difference counts, of a part only the uses elsewhere.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from instance.learning.idioms import Idiom
from instance.learning.information import bits, priced
from instance.learning.vocabulary import LANGUAGE

USE_BITS: Final = 6.0
"""What a use still costs once the pattern has a name: where it stands, what fills its holes and folds."""
USE_BITS_STAGES: Final = (8.0, 6.0, 4.0, 2.0)
"""A list is filled first with what pays even when each use costs so much, then with what pays when it costs less."""
BITS_MAX: Final = 60.0
"""Beyond this a pattern is a copied file rather than a habit."""
PART_BITS_MAX: Final = 2.0
"""A pattern with no more than this beyond another one is a part of it."""
ELSEWHERE_SHARE_MIN: Final = 2 / 3
"""A part is shown for itself when at least this share of its files are not those of what it is a part of."""
AROUND_BITS_MIN: Final = 4.0
"""A name of the language must stand in something that says as much; what says less is a use of it and no habit."""
VARIATION_SHARE_MAX: Final = 1 / 2
"""A pattern with no more than this share of its bits beyond another one is a variation of it."""


class Candidate(NamedTuple):
    """An idiom and its support in one repository."""

    idiom: Idiom
    files: int
    occurrences: int


def score(idiom: Idiom, files: int, files_total: int) -> float:
    """Return the description length a pattern saves, in bits: each use names it instead of spelling it out.

    `files * (bits - log2(files_total / files) - use) - bits`, after the two-part code of minimum description length.
    """
    spelled = min(bits(idiom.template, idiom.names), BITS_MAX)
    return files * (spelled - _naming_bits(files, files_total) - USE_BITS) - spelled


def select(candidates: Iterable[Candidate], files_total: int, *, limit: int, min_files: int = 2) -> list[Candidate]:
    """Return the best candidates, best first, without those that add nothing to better ones."""
    chosen: list[_Rival] = []
    rivals = [
        _Rival(candidate, files_total)
        for candidate in candidates
        if candidate.files >= min_files and not _is_bare_use(candidate.idiom)
    ]
    for use_bits in USE_BITS_STAGES:
        _fill(chosen, rivals, use_bits, limit)
    return [rival.candidate for rival in chosen]


def _fill(chosen: list[_Rival], rivals: Iterable[_Rival], use_bits: float, limit: int) -> None:
    """Choose among the rivals, as long as there is room and one of them pays."""
    already = set(chosen)
    queue = [rival for rival in rivals if rival not in already and rival.compare_with(chosen, use_bits) > 0]
    heapq.heapify(queue)
    while queue and len(chosen) < limit:
        rival = queue[0]
        before = rival.gain
        gain = rival.compare_with(chosen, use_bits)
        if gain <= 0:
            heapq.heappop(queue)
        elif gain < before:  # another one may add more by now; what a candidate adds never grows
            heapq.heapreplace(queue, rival)
        else:
            chosen.append(heapq.heappop(queue))


def _naming_bits(files: int, files_total: int) -> float:
    """Return what it costs to name a pattern where it is used: the less, the more common it is."""
    return math.log2(max(files_total, files, 1) / max(files, 1))


def _is_bare_use(idiom: Idiom) -> bool:
    """Tell whether a pattern is hardly more than one name of the language or its standard library."""
    if not idiom.names or any(origin != LANGUAGE for _, origin in idiom.names):
        return False
    prices = priced(idiom.template, idiom.names)
    public = {name for name, _ in idiom.names}
    chains = [price for part, price in prices.items() if not public.isdisjoint(part.split("."))]
    return len(chains) == 1 and sum(prices.values()) - chains[0] < AROUND_BITS_MIN


class _Rival:
    """A candidate, and the bits it would save beyond the first `seen` of the chosen ones."""

    __slots__ = ("bits", "candidate", "gain", "naming", "prices", "seen", "spelled", "uncovered")

    def __init__(self, candidate: Candidate, files_total: int) -> None:
        idiom, files = candidate.idiom, candidate.files
        self.candidate = candidate
        self.prices = priced(idiom.template, idiom.names)
        self.bits = self.spelled = min(sum(self.prices.values()), BITS_MAX)
        self.naming = _naming_bits(files, files_total)
        self.uncovered = files
        self.seen = 0
        self.gain = 0.0

    def __lt__(self, other: _Rival) -> bool:
        return (other.gain, self.candidate.idiom.fingerprint) < (self.gain, other.candidate.idiom.fingerprint)

    def compare_with(self, chosen: list[_Rival], use_bits: float) -> float:
        """Bring up to date what the candidate adds, and return it."""
        for other in chosen[self.seen :]:
            beyond = sum(price for part, price in self.prices.items() if part not in other.prices)
            if beyond <= PART_BITS_MAX:
                self.uncovered -= other.candidate.files
            elif beyond <= self.bits * VARIATION_SHARE_MAX:
                self.spelled = min(self.spelled, beyond)
        self.seen = len(chosen)
        is_elsewhere = self.uncovered >= self.candidate.files * ELSEWHERE_SHARE_MIN
        saving = self.uncovered * (self.spelled - self.naming - use_bits)
        self.gain = saving - self.spelled if is_elsewhere else 0.0
        return self.gain
