"""Which plan is best in each possible world, and from that how likely each plan is to be chosen.

Good enough is what is so in `confidence` of the worlds, not what is expected to be: the cheapest of hundreds of plans
that seem good enough is one that seems better than it is. In simulation, going by what is expected lost five to 26
points of success to the incumbent, 80 % of the worlds about one, 85 % none; where a verifier accepts a tenth of what is
wrong they lost one. Until the incumbent has been tried (`MEASURED`) nothing is held against it. What is good enough in
half of the worlds may be explored, so that a model tried seldom can prove itself; `exploration` limits how often.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from instance.learning.routing.draws import Draws, draw
from instance.learning.routing.duration import durations_p95
from instance.learning.routing.evidence import ROOT_MASS, Evidence
from instance.learning.routing.plans import Outcomes, orders, outcomes, without_repeats
from instance.learning.routing.pooling import Floats
from instance.learning.routing.task import STAGES_MAX, Plan

WORLDS: Final = 160
"""Possible worlds a choice is made of; no plan that may be chosen is less likely than the share explored over this."""

EXPLORATION: Final = 0.2

CONFIDENCE: Final = 0.85
LIKELY: Final = 0.5
"""In so many of the worlds a plan must be good enough to be explored."""

MEASURED: Final = 5.0
"""Results without which nothing is surely as good as the incumbent: an experiment needs its control (Fisher, "The
design of experiments", 1935), and an incumbent nobody has tried would be a low bar."""

_TIE: Final = 1e-6


@dataclass(frozen=True)
class Constraints:
    """What a user asks of choices."""

    success_min: float | None = None
    """None: as good as the incumbent, without one as good as the best single model."""
    latency_ms_p95_max: float | None = None
    incumbent: Plan | None = None
    """What would be used without advice; it asks for no success unless its models are among those of the evidence."""
    pinned: Plan | None = None
    """Always this, whatever is known."""
    forbidden: AbstractSet[str] = field(default_factory=frozenset)
    only: AbstractSet[str] | None = None
    """These alone may be chosen; None: all."""
    stages_max: int = STAGES_MAX
    exploration: float = EXPLORATION
    """The share of choices that may try something else than what is expected to be best, 0 to 1."""
    confidence: float = CONFIDENCE
    """In which share of the possible worlds a plan must be good enough."""
    holdout: float = 0.0
    """The share of choices that is the incumbent by lot, whatever is known, 0 to 1."""
    is_off: bool = False
    """The kill switch: always the incumbent."""

    def allows(self, plan: Plan) -> bool:
        """Tell whether all models of a plan may be used."""
        return self.forbidden.isdisjoint(plan) and (self.only is None or self.only >= set(plan))


class Worlds:
    """Possible worlds for one task; the first column of everything is what is expected. Needs a model."""

    def __init__(self, evidence: Evidence, constraints: Constraints, rng: np.random.Generator) -> None:
        self.evidence = evidence
        self.draws: Draws = draw(evidence, WORLDS, rng)
        stages_max = min(constraints.stages_max, STAGES_MAX) if evidence.task.verifier is not None else 1
        self.plans = orders(len(evidence.models), stages_max)
        self.allowed = _allowed(evidence, constraints, self.draws, stages_max)
        self._outcomes: Outcomes = outcomes(self.draws, stages_max)
        self.incumbent = self._place(constraints.incumbent)
        self.floor = self._floor(constraints)
        self._good = (self._outcomes.success >= self.floor) & self.allowed[:, None]
        share = self._good[:, 1:].mean(axis=1)
        self.surely = self.allowed & (share >= constraints.confidence)
        self.is_measuring = self._is_measuring(constraints)
        if self.is_measuring:
            self.surely[np.arange(len(self.plans)) != self.incumbent] = False
        self._explorable = self._to_explore(
            share, is_guarded=constraints.success_min is not None or self.incumbent is not None
        )
        self._tie = _TIE * max(1.0, float(self._outcomes.cost[:, 0].max(initial=0.0)))

    @property
    def reaches(self) -> bool:
        """Whether a plan is surely good enough."""
        return bool(self.surely.any())

    @property
    def is_empty(self) -> bool:
        """Whether no plan is allowed."""
        return not self.allowed.any()

    def expected(self) -> int:
        """Return the place of the best plan by what is expected: the cheapest that is surely good enough.

        Where none is, the most successful.
        """
        success, cost = (part[:, 0] for part in self._outcomes)
        if self.reaches:
            return int(np.where(self.surely, cost - self._tie * success, np.inf).argmin())
        return int(np.where(self.allowed, success, -np.inf).argmax())

    def best(self) -> NDArray[np.intp]:
        """Return the place of the best plan in every world, of those that may be explored."""
        success, cost = (part[self._explorable, 1:] for part in self._outcomes)
        price = cost - self._tie * success
        np.copyto(price, np.inf, where=~self._good[self._explorable, 1:])
        most = success.argmax(axis=0)
        best: NDArray[np.intp] = np.where(np.isposinf(price.min(axis=0)), most, price.argmin(axis=0))
        return self._explorable[best]

    def ranked(self) -> list[int]:
        """Return the places of allowed plans, the best expected first: surely good ones by cost, others by success."""
        success, cost = (part[:, 0] for part in self._outcomes)
        order = np.lexsort((-success, np.where(self.surely, cost, 0.0), ~self.surely))
        return [int(place) for place in order if self.allowed[place]]

    def _to_explore(self, share: Floats, *, is_guarded: bool) -> NDArray[np.intp]:
        """Return the places of plans that are likely good enough; all where none is, or nothing was asked for."""
        likely = np.flatnonzero(self.allowed & (share >= LIKELY))
        return likely if is_guarded and len(likely) else np.flatnonzero(self.allowed)

    def _place(self, plan: Plan | None) -> int | None:
        models = self.evidence.models
        if plan is None or not set(plan) <= set(models):
            return None
        order = tuple(models.index(model) for model in plan)
        return self.plans.index(order) if order in self.plans else None

    def _is_measuring(self, constraints: Constraints) -> bool:
        """Tell whether the incumbent, which may be used, is to be known better before anything is held against it."""
        if constraints.success_min is not None or self.incumbent is None or not self.allowed[self.incumbent]:
            return False
        results = self.evidence.first.mass[self.plans[self.incumbent][0]] - ROOT_MASS
        return bool(results < MEASURED)

    def _floor(self, constraints: Constraints) -> Floats:
        """Return the success asked for, in every world."""
        success = self._outcomes.success
        if constraints.success_min is not None:
            return np.full(WORLDS + 1, constraints.success_min)
        if self.incumbent is not None:
            return np.asarray(success[self.incumbent])
        models = len(self.evidence.models)
        floor: Floats = np.where(self.allowed[:models, None], success[:models], 0.0).max(axis=0)
        return floor


def propensities(expected: int, best: NDArray[np.intp], plans: int, exploration: float) -> Floats:
    """Return how likely each plan is chosen: the best expected, but for the share that is explored."""
    shares = exploration * np.bincount(best, minlength=plans) / len(best)
    shares[expected] += 1.0 - exploration
    return np.asarray(shares, np.float64)


def with_holdout(shares: Floats, incumbent: int | None, holdout: float) -> Floats:
    """Return how likely each plan is chosen where a share of the choices is the incumbent by lot.

    They add up to less than 1 when the incumbent is none of the plans.
    """
    mixed = shares * (1.0 - holdout)
    if incumbent is not None:
        mixed[incumbent] += holdout
    return mixed


def _allowed(evidence: Evidence, constraints: Constraints, draws: Draws, stages_max: int) -> NDArray[np.bool_]:
    models = len(evidence.models)
    plans, allowed = orders(models, stages_max), without_repeats(models, stages_max)
    forbidden = {place for place, model in enumerate(evidence.models) if not constraints.allows((model,))}
    if forbidden:
        allowed = allowed & np.array([forbidden.isdisjoint(order) for order in plans], dtype=bool)
    if constraints.latency_ms_p95_max is not None:
        allowed = allowed & (durations_p95(draws, evidence.latency, plans) <= constraints.latency_ms_p95_max)
    return allowed
