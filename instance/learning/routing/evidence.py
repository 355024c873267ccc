"""What is known of each model for one task: success at once and after another was rejected, cost and latency.

Local results of the same context count in full. Beside them count, each bounded, those of other contexts (`pooling`)
and the fleet's. The fleet's count the less the more one's own results contradict them, and in the same way one's own
older results those of the last days: providers change models from one day to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log
from typing import Final, NamedTuple

import numpy as np

from instance.learning.routing.counts import Counts, context_masses, counts, known_models
from instance.learning.routing.ledger import EMPTY, History, Ledger
from instance.learning.routing.pooling import Floats, Pooled, climb, measured
from instance.learning.routing.quantity import Quantity, quantity
from instance.learning.routing.task import Task
from instance.learning.routing.verifier import Verifier, verifier_of
from schemas.routing import MASS_MAX

STEADY: Final = 0.9
"""How likely a model is what it was a week ago, before the last days are looked at."""

ROOT_MASS: Final = 2.0
"""A model never tried is taken for one like the others, as sure as two results make it."""

ALIKE: Final = 0.8
"""How likely an instance is like the fleet before anything is known of it."""

REJECTION_SHIFT: Final = -1.0
"""By how much a task is harder after a rejection, in log-odds, before anything is known: from 65 % to 40 %."""

REJECTION_MASS: Final = 10.0
"""What success at once foretells of success after a rejection counts at most as so many results."""

_SHIFT_VARIANCE: Final = 1.0
_NEWTON_STEPS: Final = 8
_RATE_MIN: Final = 0.005  # keeps log-odds finite


@dataclass(frozen=True)
class Evidence:
    """What is known of models for one task; success is by model, and by model before and model."""

    task: Task
    models: tuple[str, ...]
    first: Pooled
    after: Pooled
    shift: float
    """By how much a task is harder after a rejection, in log-odds."""
    cost: Quantity
    """Cents."""
    latency: Quantity
    """Milliseconds."""
    verifier: Verifier


def evidence(task: Task, local: History, fleet: Ledger = EMPTY, models: Sequence[str] | None = None) -> Evidence:
    """Gather what is known for a task of some models; None: of all there are results of."""
    ledgers = (*local, fleet)
    models = tuple(models) if models is not None else known_models(task, ledgers)
    bounds = context_masses(ledgers, task)
    recent, past, there = (counts(one, task, models) for one in ledgers)
    here = recent + past
    first, say = _success(recent, past, there, bounds)
    shift = _shift(here, there, first)
    return Evidence(
        task=task,
        models=models,
        first=first,
        after=_success_after((recent, past, there), say, _harder(first, shift), bounds),
        shift=shift,
        cost=quantity(here, there, "cost"),
        latency=quantity(here, there, "latency"),
        verifier=verifier_of(task, local),
    )


def _root(here: Counts, there: Counts) -> float:
    """Return the mean success of all models, which a model never tried is expected to have."""
    succeeded = sum(one.first("succeeded").sum() for one in (here, there))
    labelled = sum(one.labelled[:, 0].sum() for one in (here, there))
    return float((succeeded + ROOT_MASS / 2) / (labelled + ROOT_MASS))


class _Say(NamedTuple):
    """How much of what was seen long ago, and elsewhere, counts, by model: how likely it still holds, and here."""

    past: Floats
    fleet: Floats


def _success(recent: Counts, past: Counts, there: Counts, bounds: Sequence[float]) -> tuple[Pooled, _Say]:
    """Pool success at once; also returns how much of the past and of the fleet counts."""
    new, old, fleet = (climb(one.first("succeeded"), one.labelled[:, 0], bounds) for one in (recent, past, there))
    fleet = fleet.bounded(MASS_MAX)
    root = _root(recent + past, there)
    unknown = Pooled(np.full_like(new.mean, root), np.full_like(new.mean, ROOT_MASS))
    steady = _agreement(new, old, unknown, STEADY)
    own = new | old.weighted(steady)
    alike = _agreement(own, fleet, unknown, ALIKE)
    return unknown | own | fleet.weighted(alike), _Say(steady, alike)


def _agreement(own: Pooled, said: Pooled, unknown: Pooled, likely: float) -> Floats:
    """Return how likely what is said of each model holds, given one's own results and how likely it was before.

    The weights of a robust mixture prior (Schmidli et al., "Robust meta-analytic-predictive priors in clinical trials
    with historical control information", Biometrics 2014): what is said against knowing nothing.
    """
    odds = [
        log(likely / (1 - likely)) + _log_evidence(*one) - _log_evidence(*other)
        for one, other in zip(_prior_and_own(unknown | said, own), _prior_and_own(unknown, own), strict=True)
    ]
    return np.array([1 / (1 + exp(-min(max(value, -30.0), 30.0))) for value in odds])


def _prior_and_own(prior: Pooled, own: Pooled) -> list[tuple[float, float, float, float]]:
    return list(
        zip(
            (prior.mean * prior.mass).tolist(),
            ((1 - prior.mean) * prior.mass).tolist(),
            (own.mean * own.mass).tolist(),
            ((1 - own.mean) * own.mass).tolist(),
            strict=True,
        )
    )


def _log_evidence(yes: float, no: float, succeeded: float, failed: float) -> float:
    """Return the logarithm of how likely a Beta prior makes what was seen."""
    after = lgamma(yes + succeeded) + lgamma(no + failed) - lgamma(yes + no + succeeded + failed)
    return after - lgamma(yes) - lgamma(no) + lgamma(yes + no)


def _shift(here: Counts, there: Counts, first: Pooled) -> float:
    """Estimate by how much the log-odds of success change after a rejection: the same for all models.

    The mode of its posterior under a normal prior, by Newton's method.
    """
    succeeded = sum(one.after("succeeded").sum(axis=(0, 1)) for one in (here, there))
    labelled = sum(one.labelled[:, 1:].sum(axis=(0, 1)) for one in (here, there))
    usual, shift = _log_odds(first.mean), REJECTION_SHIFT
    for _ in range(_NEWTON_STEPS):
        expected = _rate(usual + shift)
        slope = np.sum(succeeded - labelled * expected) - (shift - REJECTION_SHIFT) / _SHIFT_VARIANCE
        curve = np.sum(labelled * expected * (1 - expected)) + 1 / _SHIFT_VARIANCE
        shift += float(np.clip(slope / curve, -1.0, 1.0))
    return shift


def _harder(first: Pooled, shift: float) -> Pooled:
    """Foretell success after a rejection from success at once."""
    return Pooled(_rate(_log_odds(first.mean) + shift), first.mass).lent(REJECTION_MASS)


def _success_after(seen: Sequence[Counts], say: _Say, foretold: Pooled, bounds: Sequence[float]) -> Pooled:
    """Pool success after each model was rejected, (model before, model); `seen` is recently, long ago and elsewhere.

    What was seen after other models counts beside what success at once foretells, both bounded.
    """
    models = len(foretold.mean)
    succeeded = np.sum([one.after("succeeded").sum(axis=0) for one in seen], axis=0)
    labelled = np.sum([one.labelled[:, 1:].sum(axis=0) for one in seen], axis=0)
    others = measured((succeeded.sum(axis=0) - succeeded)[:models], (labelled.sum(axis=0) - labelled)[:models])
    prior = (Pooled(*(np.broadcast_to(part, (models, models)) for part in foretold)) | others).lent(REJECTION_MASS)
    new, old, fleet = (
        climb(one.after("succeeded")[:, :models], one.labelled[:, 1 : models + 1], bounds) for one in seen
    )
    return prior | new | old.weighted(say.past) | fleet.bounded(MASS_MAX).weighted(say.fleet)


def _log_odds(rates: Floats) -> Floats:
    bounded = np.clip(rates, _RATE_MIN, 1 - _RATE_MIN)
    odds: Floats = np.log(bounded / (1 - bounded))
    return odds


def _rate(log_odds: Floats) -> Floats:
    rates: Floats = 1 / (1 + np.exp(-log_odds))
    return rates
