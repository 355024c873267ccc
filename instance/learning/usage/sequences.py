"""Which calls belong together: call sequences that are frequent, closed, and worth more than the rest.

Frequent ones are grown by PrefixSpan (Pei et al., ICDE 2001) with a bounded distance between neighbours. One is closed
when no sequence a call longer holds it and is as frequent (Yan et al., SDM 2003; BIDE, Wang and Han, ICDE 2004). Of
the closed ones a greedy cover takes what explains most calls that nothing before explained: the aim of PAM (Fowkes and
Sutton, FSE 2016), interesting and not redundant, without its expectation maximisation.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

Calls = tuple[str, ...]

SUPPORT_MIN: Final = 2
LENGTH_MIN: Final = 2
LENGTH_MAX: Final = 6
"""Patterns of more calls are found in one repository only (Cergani et al., 2018)."""
DISTANCE_MAX: Final = 6
"""How many calls after the one before the next call of a pattern may come."""
SEQUENCE_CALLS_MAX: Final = 512
"""What a function calls beyond this is not looked at."""
PATTERNS_MAX: Final = 100_000
STEPS_MAX: Final = 2_000_000
"""Frequent patterns, and calls looked at to find them; if there are more, a pattern must be twice as frequent."""


class CallSequence(NamedTuple):
    """Calls in order, in how many of the sequences they are, and the bits they explained when they were chosen."""

    calls: Calls
    support: int
    gain: float


def closed(
    sequences: Iterable[Sequence[str]], min_support: int = SUPPORT_MIN, *, repeats: bool = True
) -> dict[Calls, int]:
    """Return every closed pattern with the number of sequences that hold it, in any order of the sequences the same.

    Without `repeats` no pattern has a call twice. If the sequences hold more than `PATTERNS_MAX` frequent patterns,
    only the more frequent of them are returned.
    """
    distinct = _distinct(sequences)
    frequent = None
    while frequent is None:
        frequent = _Growth(distinct, min_support, repeats=repeats).run()
        min_support *= 2
    absorbed = {
        shorter
        for calls, support in frequent.items()
        for shorter in _shorter(calls)
        if frequent.get(shorter, math.inf) <= support
    }
    return {calls: support for calls, support in frequent.items() if calls not in absorbed}


def mine(sequences: Sequence[Sequence[str]], limit: int) -> list[CallSequence]:
    """Return up to `limit` closed patterns, the most telling first; each explains calls none before it does."""
    return cover(sequences, closed(sequences), limit)


def cover(sequences: Iterable[Sequence[str]], patterns: Mapping[Calls, int], limit: int) -> list[CallSequence]:
    """Choose among patterns with their supports, greedily, those that explain the calls of the sequences best."""
    return _Cover(_distinct(sequences)).run(patterns, limit)


def _distinct(sequences: Iterable[Sequence[str]]) -> list[tuple[Calls, int]]:
    """Return the different sequences that may hold a pattern, sorted, each with how often it is there."""
    counts = Counter(tuple(sequence[:SEQUENCE_CALLS_MAX]) for sequence in sequences)
    return sorted((calls, count) for calls, count in counts.items() if len(calls) >= LENGTH_MIN)


def _shorter(calls: Calls) -> Iterator[Calls]:
    return (calls[:at] + calls[at + 1 :] for at in range(len(calls)))


class _Growth:
    """PrefixSpan: a pattern grows by each call that follows any of its occurrences closely enough, depth first."""

    def __init__(self, distinct: Sequence[tuple[Calls, int]], min_support: int, *, repeats: bool) -> None:
        self.sequences = [calls for calls, _ in distinct]
        self.counts = [count for _, count in distinct]
        self.min_support = min_support
        self.repeats = repeats
        self.steps_left = STEPS_MAX
        self.found: dict[Calls, int] = {}

    def run(self) -> dict[Calls, int] | None:
        """Return every frequent pattern and its support; None when there are too many."""
        starts: defaultdict[str, dict[int, list[int]]] = defaultdict(dict)
        for number, calls in enumerate(self.sequences):
            for at, call in enumerate(calls):
                starts[call].setdefault(number, []).append(at)
        for call in sorted(starts):
            if self._support(starts[call]) >= self.min_support:
                self._grow((call,), starts[call])
        return None if self._exhausted() else self.found

    def _grow(self, prefix: Calls, ends: Mapping[int, Sequence[int]]) -> None:
        """Add what the prefix grows into; `ends` are the places it ends at, by sequence."""
        following = self._following(ends)
        for call in sorted(following):
            support = self._support(following[call])
            if support < self.min_support or self._exhausted() or not (self.repeats or call not in prefix):
                continue
            longer = (*prefix, call)
            self.found[longer] = support
            if len(longer) < LENGTH_MAX:
                self._grow(longer, following[call])

    def _following(self, ends: Mapping[int, Sequence[int]]) -> dict[str, dict[int, list[int]]]:
        following: defaultdict[str, dict[int, list[int]]] = defaultdict(dict)
        for number, places in ends.items():
            calls = self.sequences[number]
            at = 0
            for place in places:
                reachable = range(max(at, place + 1), min(place + 1 + DISTANCE_MAX, len(calls)))
                for at in reachable:
                    following[calls[at]].setdefault(number, []).append(at)
                at = max(at, reachable.stop)
                self.steps_left -= 1 + len(reachable)
        return following

    def _exhausted(self) -> bool:
        return self.steps_left < 0 or len(self.found) > PATTERNS_MAX

    def _support(self, numbers: Iterable[int]) -> int:
        return sum(self.counts[number] for number in numbers)


class Index:
    """Where each call is in each of many sequences, so that those that hold a pattern are found quickly."""

    def __init__(self, sequences: Iterable[Sequence[str]]) -> None:
        self._places = [_places(calls[:SEQUENCE_CALLS_MAX]) for calls in sequences]
        self._having: defaultdict[str, set[int]] = defaultdict(set)
        for number, places in enumerate(self._places):
            for call in places:
                self._having[call].add(number)

    def holding(self, calls: Calls) -> list[int]:
        """Return the numbers of the sequences with the calls in this order, none too far from the one before."""
        together = set.intersection(*(self._having[call] for call in calls))
        return sorted(number for number in together if _occurrence(self._places[number], calls) is not None)

    def take_out(self, calls: Calls, number: int) -> None:
        """Take every occurrence of a pattern out of a sequence."""
        places = self._places[number]
        while (occurrence := _occurrence(places, calls)) is not None:
            for call, at in zip(calls, occurrence, strict=True):
                places[call].remove(at)
        for call in calls:
            if not places[call]:
                self._having[call].discard(number)

    def comes_first(self, first: str, second: str) -> float:
        """Return the share of the sequences with both calls in which one is there before the other is."""
        together = self._having[first] & self._having[second]
        before = sum(self._places[number][first][0] < self._places[number][second][0] for number in together)
        return before / len(together) if together else 0.0


class _Cover:
    """Greedy choice of patterns that explain the most calls not explained yet; each call is explained once."""

    def __init__(self, distinct: Sequence[tuple[Calls, int]]) -> None:
        self.counts = [count for _, count in distinct]
        self.unexplained = Index(calls for calls, _ in distinct)
        self.bits = _bits(distinct)

    def run(self, patterns: Mapping[Calls, int], limit: int) -> list[CallSequence]:
        """Choose; a pattern that lost calls to a better one is weighed again when its turn comes."""
        heap = [(-self._gain(calls, support), calls) for calls, support in patterns.items()]
        heapify(heap)
        chosen: list[CallSequence] = []
        while heap and len(chosen) < limit:
            _, calls = heappop(heap)
            numbers = self.unexplained.holding(calls)
            support = sum(self.counts[number] for number in numbers)
            if support < SUPPORT_MIN:
                continue
            weighed = (-self._gain(calls, support), calls)
            if heap and heap[0] < weighed:
                heappush(heap, weighed)
                continue
            chosen.append(CallSequence(calls, patterns[calls], -weighed[0]))
            for number in numbers:
                self.unexplained.take_out(calls, number)
        return chosen

    def _gain(self, calls: Calls, support: int) -> float:
        """Return the bits a name for the pattern saves, less for a long one, which is seldom used as a whole."""
        return (support - 1) * sum(map(self.bits.__getitem__, calls)) / math.sqrt(len(calls))


def _places(calls: Sequence[str]) -> dict[str, list[int]]:
    """Return where each call is, in order."""
    places: dict[str, list[int]] = {}
    for at, call in enumerate(calls):
        places.setdefault(call, []).append(at)
    return places


def _occurrence(places: Mapping[str, Sequence[int]], calls: Calls) -> list[int] | None:
    """Return where the calls are: the occurrence that ends first, and of those the most compact."""
    reached: list[list[int]] = [list(places.get(calls[0], ()))]
    for call in calls[1:]:
        reached.append(_reachable(reached[-1], places.get(call, ())))
        if not reached[-1]:
            return None
    if not reached[-1]:
        return None
    occurrence = [reached[-1][0]]
    for before in reached[-2::-1]:
        occurrence.append(max(at for at in before if occurrence[-1] - DISTANCE_MAX <= at < occurrence[-1]))
    return occurrence[::-1]


def _reachable(before: Sequence[int], places: Sequence[int]) -> list[int]:
    """Return the places that closely follow one of those before; both in order."""
    found: list[int] = []
    last = 0
    for at in places:
        while last + 1 < len(before) and before[last + 1] < at:
            last += 1
        if before and before[last] < at <= before[last] + DISTANCE_MAX:
            found.append(at)
    return found


def _bits(distinct: Iterable[tuple[Calls, int]]) -> dict[str, float]:
    """Return what it takes to spell each call: the rarer, the more, and one bit at least."""
    counts: Counter[str] = Counter()
    for calls, count in distinct:
        for call in calls:
            counts[call] += count
    total = counts.total()
    return {call: 1 + math.log2(total / count) for call, count in counts.items()}
