"""Possible worlds: draws from everything that is not known for sure, the first column being what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from instance.learning.routing.evidence import Evidence
from instance.learning.routing.pooling import Floats, Pooled
from instance.learning.routing.quantity import Quantity
from instance.learning.routing.verifier import Beta

UNKNOWN: Final = 2.0
"""A model of unknown cost is taken to cost so many times as much as the dearest known."""

_MASS_MIN: Final = 1e-3
_DRAWN: Final = ("first", "after", "false_acceptance", "false_rejection", "cost_first", "cost_after")


@dataclass(frozen=True)
class Draws:
    """Every array has the draws as its last axis; they are independent of each other given the evidence.

    In single precision: nothing is known to more than seven digits, and a choice takes half the time.
    """

    first: Floats
    """Success at once, (models, draws)."""
    after: Floats
    """Success after a rejection, (model before, model, draws)."""
    false_acceptance: Floats
    false_rejection: Floats
    cost_first: Floats
    """Mean cents, (models, draws); unknown ones are twice those of the dearest model known."""
    cost_after: Floats

    def accepted(self, right: Floats) -> Floats:
        """Return the share of jobs that is right and accepted, of the share that is right."""
        return right * (1 - self.false_rejection)

    def rejected(self, right: Floats, share: Floats | float = 1.0) -> Floats:
        """Return the share of jobs that is rejected, of a share of them and what is right of it."""
        return share - self.accepted(right) - (share - right) * self.false_acceptance

    @cached_property
    def expected(self) -> Draws:
        """What is expected alone, as a single draw."""
        return Draws(**{name: getattr(self, name)[..., :1] for name in _DRAWN})


def draw(found: Evidence, number: int, rng: np.random.Generator) -> Draws:
    """Return what is expected, and `number` draws beside it."""
    models = len(found.models)
    return Draws(
        first=_rates(found.first, number, rng).reshape(models, -1),
        after=_rates(found.after, number, rng).reshape(models, models, -1),
        false_acceptance=_rate(found.verifier.false_acceptance, number, rng),
        false_rejection=_rate(found.verifier.false_rejection, number, rng),
        cost_first=draw_means(found.cost, found.cost.first, number, rng),
        cost_after=draw_means(found.cost, found.cost.after, number, rng),
    )


def draw_means(quantity: Quantity, pooled: Pooled, number: int, rng: np.random.Generator) -> Floats:
    """Return expected means and lognormal draws of them, (models, 1 + draws); of unknown ones see `UNKNOWN`."""
    known = pooled.mass > 0
    unknown = UNKNOWN * pooled.mean[known].max(initial=0.0)
    errors = quantity.errors(pooled)[:, None]
    noise = np.exp(errors * rng.standard_normal((len(pooled.mean), number)) - errors**2 / 2)
    means: Floats = np.where(known, pooled.mean, unknown)[:, None] * np.hstack([np.ones((len(known), 1)), noise])
    return means.astype(np.float32)


def _rates(pooled: Pooled, number: int, rng: np.random.Generator) -> Floats:
    mean, mass = np.ravel(pooled.mean)[:, None], np.maximum(np.ravel(pooled.mass), _MASS_MIN)[:, None]
    yes, no = np.maximum(mean * mass, _MASS_MIN), np.maximum((1 - mean) * mass, _MASS_MIN)
    return np.hstack([mean, rng.beta(yes, no, (len(mean), number))], dtype=np.float32)


def _rate(beta: Beta, number: int, rng: np.random.Generator) -> Floats:
    return np.concatenate([[beta.mean], rng.beta(beta.yes, beta.no, number)], dtype=np.float32)
