"""Summing up results: each is added once, and moved when its label changes.

Sums are added to, never made anew, so that they outlive the results behind them. Only labels change, hence only
`succeeded` and `failed` ever fall, and correcting a label leaves no trace of the wrong one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from msgspec import structs

from instance.learning.results.words import Key, other_of
from schemas.results import ResultSums
from shared import results, sketch

KEYS_PER_DAY_MAX: Final = 500
"""More kinds of results than these on one day are summed up as one: numbered jobs must not flood the hub."""

NOTHING: Final = ResultSums(results=0)
_SUCCEEDED: Final = frozenset({"success"})
_FAILED: Final = frozenset({"failed", "timeout"})


@dataclass(frozen=True)
class Outcome:
    """What is counted of one result; `counted` is the status it was counted with before, None of a new one."""

    counted: str | None
    status: str
    cost_microcents: int | None = None
    tokens: Sequence[int] | None = None
    """Input, output, cache read, cache write, reasoning."""
    duration_ms: int | None = None


def roll_up(known: Mapping[Key, ResultSums], outcomes: Iterable[tuple[Key, Outcome]]) -> dict[Key, ResultSums]:
    """Return the new sums of every key that changes."""
    by_key: defaultdict[Key, list[Outcome]] = defaultdict(list)
    for key, outcome in outcomes:
        by_key[key].append(outcome)
    return {key: added(known.get(key, NOTHING), found) for key, found in by_key.items()}


def added(sums: ResultSums, outcomes: Sequence[Outcome]) -> ResultSums:
    """Return sums with outcomes added, or moved from the status they were counted with."""
    merged = results.merge([sums, _sums([outcome for outcome in outcomes if outcome.counted is None])])
    return structs.replace(
        merged,
        succeeded=sums.succeeded + _moved(outcomes, _SUCCEEDED),
        failed=sums.failed + _moved(outcomes, _FAILED),
    )


class Places:
    """Where results are summed up: under their own key while their day has room, else with all others of the day."""

    def __init__(self, known: Iterable[Key], keys_per_day_max: int = KEYS_PER_DAY_MAX) -> None:
        self._keys = set(known)
        self._per_day: Counter[date] = Counter(key.day for key in self._keys)
        self._keys_per_day_max = keys_per_day_max

    def of(self, key: Key) -> Key:
        """Return where new results of a key are summed up."""
        if key not in self._keys:
            if self._per_day[key.day] >= self._keys_per_day_max:
                return other_of(key.day)
            self._keys.add(key)
            self._per_day[key.day] += 1
        return key


def _moved(outcomes: Iterable[Outcome], statuses: frozenset[str]) -> int:
    """By how much the number of results with these statuses grows."""
    return sum((outcome.status in statuses) - (outcome.counted in statuses) for outcome in outcomes)


def _sums(outcomes: Sequence[Outcome]) -> ResultSums:
    """Sum up everything but labels."""
    costs = [outcome.cost_microcents for outcome in outcomes if outcome.cost_microcents is not None]
    durations = [outcome.duration_ms for outcome in outcomes if outcome.duration_ms is not None]
    metered = [outcome.tokens for outcome in outcomes if outcome.tokens is not None]
    totals = [sum(kind) for kind in zip(*metered, strict=True)] if metered else [0] * 5
    return ResultSums(
        results=len(outcomes),
        priced=len(costs),
        cost_microcents=sum(costs),
        cost=sketch.sketch(costs),
        metered=len(metered),
        input_tokens=totals[0],
        output_tokens=totals[1],
        cache_read_tokens=totals[2],
        cache_write_tokens=totals[3],
        reasoning_tokens=totals[4],
        timed=len(durations),
        latency_ms=sum(durations),
        latency_ms_squared=float(sum(duration * duration for duration in durations)),
        latency=sketch.sketch(durations),
    )
