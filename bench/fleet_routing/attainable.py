"""What would be saved by somebody who knows all there is to know of the models, but not the difficulty of a task."""

from __future__ import annotations

from itertools import permutations
from statistics import mean
from typing import Final

import numpy as np

from bench.routing_worlds import LANGUAGES, Floats, World
from instance.learning.routing.task import STAGES_MAX

_TASKS: Final = 4000
HARDER: Final = 0.3
"""By how much the logarithm of a cost grows with difficulty, as in `routing_worlds`."""
_TIE: Final = 1e-9


def attainable(world: World, stages_max: int = STAGES_MAX) -> float:
    """Return the share of cost that the cheapest plan as good as the incumbent saves, the best for each language."""
    incumbent = int(world.alone()[0].argmax())
    return mean(_saved(world, language, incumbent, stages_max) for language in range(len(LANGUAGES)))


def _saved(world: World, language: int, incumbent: int, stages_max: int) -> float:
    difficulty = np.random.default_rng(0).standard_normal(_TASKS)
    rates = np.array([world.rates(language, one) for one in difficulty]).T
    cents = world.cents[:, None] * np.exp(HARDER * difficulty)
    floor, most = rates[incumbent].mean(), cents[incumbent].mean()
    plans = [_come(order, rates, cents, world.false_acceptance)
             for stages in range(1, stages_max + 1)
             for order in permutations(range(len(world.cents)), stages)]  # fmt: skip
    return 1 - min(cost for success, cost in plans if success >= floor - _TIE) / float(most)


def _come(order: tuple[int, ...], rates: Floats, cents: Floats, accepts: float) -> tuple[float, float]:
    """Return success and cost of a plan."""
    reached, success, cost = np.ones(_TASKS), np.zeros(_TASKS), np.zeros(_TASKS)
    for model in order:
        success += reached * rates[model]
        cost += reached * cents[model]
        reached = reached * (1 - rates[model]) * (1 - accepts)
    return float(success.mean()), float(cost.mean())
