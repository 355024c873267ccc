"""Sums of results, discounted by their age: all that routing knows.

Nothing is kept but sums, and they are added exactly (`fsum`) in any order: the same rows give the same bits, so that
a corrected label leaves no trace of the wrong one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from math import fsum, log
from typing import Final, NamedTuple

from schemas.results import RELATIVE_ERROR, ResultSums, Sketch
from schemas.routing import DISCOUNT, MASS_MAX, RoutingPriors
from shared.results import Cell, Summed, cell_of

RECENT_DAYS: Final = 7
"""What these days contradict is given up at once, not only discounted."""

_MICROCENTS: Final = 1_000_000
_GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA: Final = log(_GAMMA)
_LOG_MIDDLE: Final = log(2 / (_GAMMA + 1))
_SPREAD_UNKNOWN: Final = 1.0  # variance of the logarithms where nothing tells it


class Tally(NamedTuple):
    """Sums as routing needs them; unlabelled results count for cost and latency alone. Logarithms are natural."""

    results: float
    succeeded: float
    failed: float
    priced: float
    cost: float
    """Cents."""
    log_cost: float
    log_cost_squares: float
    timed: float
    latency: float
    """Milliseconds."""
    log_latency: float
    log_latency_squares: float

    def scaled(self, factor: float) -> Tally:
        """Return it counted `factor` times."""
        return Tally(*(factor * number for number in self))


@dataclass(frozen=True)
class Ledger:
    """Tallies by cell."""

    cells: Mapping[Cell, Tally]

    def of(self, job_type: str) -> list[tuple[Cell, Tally]]:
        """Return the cells of one kind of job."""
        return self._by_job_type.get(job_type, [])

    @cached_property
    def _by_job_type(self) -> Mapping[str, list[tuple[Cell, Tally]]]:
        found: defaultdict[str, list[tuple[Cell, Tally]]] = defaultdict(list)
        for cell, one in self.cells.items():
            found[cell.job_type].append((cell, one))
        return found


EMPTY: Final = Ledger({})


class History(NamedTuple):
    """One's own results: of the last days, and older ones."""

    recent: Ledger
    past: Ledger = EMPTY


def history(rows: Iterable[Summed], today: date, discount: float = DISCOUNT) -> History:
    """Add up one's own results, those of the last `RECENT_DAYS` days apart."""
    told = list(rows)
    recent = [(today - row.day).days < RECENT_DAYS for row in told]
    return History(
        *(
            ledger((row for row, is_recent in zip(told, recent, strict=True) if is_recent is part), today, discount)
            for part in (True, False)
        )
    )


def ledger(rows: Iterable[Summed], today: date, discount: float = DISCOUNT) -> Ledger:
    """Add up what was said; a row counts `discount` to the power of its age in days, one of tomorrow as of today."""
    return _added(
        (
            cell_of(row.job_type, row.model, row.context),
            tally(row.sums).scaled(discount ** max(0, (today - row.day).days)),
        )
        for row in rows
    )


def fleet_ledger(said: RoutingPriors, today: date, discount: float = DISCOUNT) -> Ledger:
    """Read what the hub says; no prior counts as more than `MASS_MAX` labelled results, whatever it says of itself."""
    age = discount ** max(0, (today - said.day).days)
    return _added(
        (cell_of(prior.job_type, prior.model, prior.context), _bounded(tally(prior.sums).scaled(age * prior.weight)))
        for prior in said.priors
    )


def tally(sums: ResultSums) -> Tally:
    """Read what routing needs out of sums."""
    cost, latency = sums.cost_microcents / _MICROCENTS, float(sums.latency_ms)
    return Tally(
        sums.results,
        sums.succeeded,
        sums.failed,
        sums.priced,
        cost,
        *_logs(sums.cost, sums.priced, float(sums.cost_microcents), None),
        sums.timed,
        latency,
        *_logs(sums.latency, sums.timed, latency, sums.latency_ms_squared),
    )


def _bounded(one: Tally) -> Tally:
    labelled = one.succeeded + one.failed
    return one.scaled(MASS_MAX / labelled) if labelled > MASS_MAX else one


def _added(terms: Iterable[tuple[Cell, Tally]]) -> Ledger:
    found: defaultdict[Cell, list[Tally]] = defaultdict(list)
    for cell, one in terms:
        found[cell].append(one)
    return Ledger({cell: Tally(*map(fsum, zip(*found[cell], strict=True))) for cell in sorted(found)})


def _logs(sketch: Sketch, number: int, total: float, squares: float | None) -> tuple[float, float]:
    """Sum logarithms and their squares: from the sketch, or without one from the moments of a lognormal distribution.

    What is below 1, a millisecond or a millionth of a cent, counts as 1.
    """
    if sketch.buckets or sketch.zeros:
        logs = [(index * _LOG_GAMMA + _LOG_MIDDLE, count) for index, count in sketch.buckets]
        return fsum(count * value for value, count in logs), fsum(count * value * value for value, count in logs)
    if not number or not total:
        return 0.0, 0.0
    mean = total / number
    variance = _SPREAD_UNKNOWN if squares is None else log(max(1.0, squares / number / mean**2))
    middle = log(mean) - variance / 2
    return number * middle, number * (middle * middle + variance)
