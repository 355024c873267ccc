"""What results say of each kind of work and model: no number without an interval, and a reason where there is none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, NamedTuple

import numpy as np

from instance.learning.labels.intervals import quantile, ratio, share
from instance.learning.results.words import SHARED_CONTEXT
from instance.learning.routing.offpolicy import Refusal
from instance.learning.routing.outlook import Interval
from instance.learning.routing.task import AFTER

By = Literal["type", "model", "context"]

_SEED: Final = 0  # the same results give the same intervals


class Seen(NamedTuple):
    """One result; None is unknown."""

    day: date
    job_type: str
    model: str | None
    context: dict[str, str]
    succeeded: bool | None
    cost_cents: float | None
    duration_ms: int | None
    tokens: int | None
    route: int | None = None
    """Which advice it followed: results that did the same are stages of one job."""
    plan: Sequence[str] | None = None
    """What was advised."""
    propensity: float | None = None
    """How likely that was to be."""
    held_out: bool | None = None
    """Whether it was the incumbent by lot; None: no lot was drawn."""
    holdout: float | None = None
    """In what share of such choices it is."""
    usage: Sequence[int | None] | None = None
    """Tokens by kind, in the order of `USAGE`; None where nobody asked."""


@dataclass(frozen=True)
class Line:
    """What results of one kind have in common. Counts and sums are facts; the others are estimates."""

    key: dict[By, str]
    results: int
    labelled: int
    succeeded: int
    priced: int
    cost_cents: float
    """Of those that have a cost."""
    tokens: int
    success: Interval | Refusal
    """Share of the labelled."""
    cents_per_result: Interval | Refusal
    cents_per_success: Interval | Refusal
    """What was spent on labelled results, whatever their label, for each success."""
    ms_p50: Interval | Refusal
    ms_p95: Interval | Refusal


def summary(seen: Iterable[Seen], by: Sequence[By]) -> list[Line]:
    """Sum up results by what they are to have in common, the most first."""
    groups: defaultdict[tuple[str, ...], list[Seen]] = defaultdict(list)
    for one in seen:
        groups[tuple(_KEYS[part](one) for part in by)].append(one)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [_line(dict(zip(by, key, strict=True)), found) for key, found in ordered]


def context_of(one: Seen) -> str:
    """Tell the words of a context that work is compared by."""
    return " ".join(f"{name}={one.context[name]}" for name in (*SHARED_CONTEXT, AFTER) if name in one.context)


_KEYS: Final[dict[By, Callable[[Seen], str]]] = {
    "type": lambda one: one.job_type,
    "model": lambda one: one.model or "",
    "context": context_of,
}


def _line(key: dict[By, str], found: Sequence[Seen]) -> Line:
    labelled = [one for one in found if one.succeeded is not None]
    succeeded = sum(bool(one.succeeded) for one in labelled)
    times = [one.duration_ms for one in found if one.duration_ms is not None]
    costs = [one.cost_cents for one in found if one.cost_cents is not None]
    return Line(
        key=key,
        results=len(found),
        labelled=len(labelled),
        succeeded=succeeded,
        priced=len(costs),
        cost_cents=sum(costs),
        tokens=sum(one.tokens or 0 for one in found),
        success=share(succeeded, len(labelled)),
        cents_per_result=_spent(found, lambda _: True),
        cents_per_success=_spent(labelled, lambda one: bool(one.succeeded)),
        ms_p50=quantile(times, 0.5),
        ms_p95=quantile(times, 0.95),
    )


def _spent(found: Sequence[Seen], counts: Callable[[Seen], bool]) -> Interval | Refusal:
    """Return what was spent for each result that counts; of results without a cost nothing is known."""
    costs: defaultdict[date, float] = defaultdict(float)
    numbers: defaultdict[date, int] = defaultdict(int)
    for one in found:
        if one.cost_cents is not None:
            costs[one.day] += one.cost_cents
            numbers[one.day] += counts(one)
    if not costs:
        return Refusal("no cost is known" if found else "none is labelled success or failed")
    days = sorted(costs)
    return ratio([costs[day] for day in days], [numbers[day] for day in days], np.random.default_rng(_SEED))
