"""What is expected of a plan, with intervals, and what it gains over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from instance.learning.routing.draws import draw_means
from instance.learning.routing.duration import durations_p95
from instance.learning.routing.plans import Order, along, outcome, reached
from instance.learning.routing.pooling import Floats
from instance.learning.routing.quantity import Quantity
from instance.learning.routing.task import Plan
from instance.learning.routing.worlds import WORLDS, Worlds

_BOUNDS: Final = (0.025, 0.975)


class Interval(NamedTuple):
    """What is expected, and where it is with 95 % probability."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True)
class Outlook:
    """What is expected of a plan; None is unknown, never 0."""

    plan: Plan
    success: Interval
    cost_cents: Interval | None
    latency_ms: Interval | None
    """Mean."""
    latency_ms_p95: float | None
    propensity: float
    """How likely it was to be chosen."""


class Comparison(NamedTuple):
    """What a plan is expected to gain on each job over another."""

    saved_cents: Interval | None
    success: Interval


class Outlooks:
    """Foretells plans in the same possible worlds, so that they can be compared."""

    def __init__(self, worlds: Worlds, propensities: Floats, rng: np.random.Generator) -> None:
        self._worlds = worlds
        self._propensities = propensities
        latency = worlds.evidence.latency
        self._first = draw_means(latency, latency.first, WORLDS, rng)
        self._after = draw_means(latency, latency.after, WORLDS, rng)

    def of(self, places: Sequence[int]) -> list[Outlook]:
        """Return what is expected of plans."""
        p95s = durations_p95(
            self._worlds.draws, self._worlds.evidence.latency, [self._worlds.plans[place] for place in places]
        )
        return [self._outlook(place, float(p95)) for place, p95 in zip(places, p95s, strict=True)]

    def _outlook(self, place: int, p95: float) -> Outlook:
        order, draws, latency = self._worlds.plans[place], self._worlds.draws, self._worlds.evidence.latency
        found, times = outcome(draws, order), along(reached(draws, order), self._first, self._after, order)
        return Outlook(
            plan=tuple(self._worlds.evidence.models[model] for model in order),
            success=_interval(found.success),
            cost_cents=_interval(found.cost) if self._is_priced(order) else None,
            latency_ms=_interval(times) if _is_known(latency, order) else None,
            latency_ms_p95=None if np.isnan(p95) else p95,
            propensity=float(self._propensities[place]),
        )

    def against(self, place: int, other: int) -> Comparison:
        """Compare a plan with another, world by world."""
        orders = [self._worlds.plans[one] for one in (place, other)]
        mine, theirs = (outcome(self._worlds.draws, order) for order in orders)
        priced = all(map(self._is_priced, orders))
        return Comparison(
            saved_cents=_interval(theirs.cost - mine.cost) if priced else None,
            success=_interval(mine.success - theirs.success),
        )

    def _is_priced(self, order: Order) -> bool:
        return _is_known(self._worlds.evidence.cost, order)


def _is_known(quantity: Quantity, order: Order) -> bool:
    return bool(quantity.first.mass[order[0]] > 0 and all(quantity.after.mass[model] > 0 for model in order[1:]))


def _interval(worlds: Floats) -> Interval:
    ordered = np.sort(worlds[1:])
    low, high = (float(ordered[round(bound * (len(ordered) - 1))]) for bound in _BOUNDS)
    return Interval(low, float(worlds[0]), high)
