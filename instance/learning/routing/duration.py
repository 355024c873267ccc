"""How long plans take at worst: the 95th percentile of the time until they deliver.

The time up to each stage is taken for lognormal with the mean and variance of its parts (Fenton, "The sum of
log-normal probability distributions in scatter transmission systems", 1960); a plan is a mixture of the stages it may
end at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from instance.learning.routing.draws import Draws
from instance.learning.routing.plans import Order, reached
from instance.learning.routing.pooling import Floats
from instance.learning.routing.quantity import Quantity
from instance.learning.routing.task import STAGES_MAX

Places = NDArray[np.intp]

TAIL: Final = 0.05

_BISECTIONS: Final = 24
_SIGMAS: Final = 6.0
_DEVIATION_MIN: Final = 1e-6


def durations_p95(draws: Draws, latency: Quantity, plans: Sequence[Order]) -> Floats:
    """Return the 95th percentile of each plan in milliseconds; NaN where durations of a model are not known."""
    models = np.array([(*order, *order[-1:] * (STAGES_MAX - len(order))) for order in plans]).T
    stages = np.array([len(order) for order in plans])
    shares = _ends(draws, models, stages)
    means, deviations = _times(latency, models)
    low = (means - _SIGMAS * deviations).min(axis=0)
    high = (means + _SIGMAS * deviations).max(axis=0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        too_low = (shares * _beyond((middle - means) / deviations)).sum(axis=0) > TAIL
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    known = np.vstack([latency.first.mass[models[:1]] > 0, latency.after.mass[models[1:]] > 0])
    used = np.arange(STAGES_MAX)[:, None] < stages
    found: Floats = np.where((known | ~used).all(axis=0), np.exp(high), np.nan)
    return found


def _ends(draws: Draws, models: Places, stages: Places) -> Floats:
    """Return how likely each plan ends at each stage, (stages, plans), as far as is expected."""
    shares = np.stack(reached(draws.expected, tuple(models)))[..., 0] * (np.arange(STAGES_MAX)[:, None] < stages)
    ends: Floats = shares - np.vstack([shares[1:], np.zeros((1, len(stages)))])
    return ends


def _times(latency: Quantity, models: Places) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the logarithm of the time up to each stage, (stages, plans)."""
    parts = np.vstack([latency.first.mean[models[:1]], latency.after.mean[models[1:]]])
    means = np.maximum(np.cumsum(parts, axis=0), 1.0)
    variances = np.cumsum(parts * parts * np.expm1(latency.spread)[models], axis=0)
    spread = np.log1p(variances / means**2)
    return np.log(means) - spread / 2, np.maximum(np.sqrt(spread), _DEVIATION_MIN)


def _beyond(z: Floats) -> Floats:
    """Return how much of a standard normal distribution lies beyond, within 0.00014.

    Bowling et al., "A logistic approximation to the cumulative normal distribution", 2009.
    """
    tail: Floats = 1 / (1 + np.exp(np.clip(0.07056 * z**3 + 1.5976 * z, -500, 500)))
    return tail
