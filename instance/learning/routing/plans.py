"""Every order of up to three models with a verifier between, and what comes of each.

What the last model delivers is taken, accepted or not. A stage costs what it costs times the share of jobs that reach
it; running the verifier costs nothing.

Attempts after one rejection and after two are counted together, and foretold together: second ones a little worse than
they are and third ones a little better. In simulation plans of three are then foretold a point of success too much.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instance.learning.routing.draws import Draws
from instance.learning.routing.pooling import Floats

Order = tuple[int, ...]
"""A plan as places of its models."""


class Outcomes(NamedTuple):
    """Success and cost in cents, (plans, draws)."""

    success: Floats
    cost: Floats


@cache
def orders(models: int, stages_max: int) -> tuple[Order, ...]:
    """Return all sequences, the short ones first; those that repeat a model are no plans: of 1,110, 820 are."""
    return tuple(order for stages in range(1, stages_max + 1) for order in product(range(models), repeat=stages))


@cache
def without_repeats(models: int, stages_max: int) -> NDArray[np.bool_]:
    """Tell which of `orders` are plans."""
    return np.array([len(set(order)) == len(order) for order in orders(models, stages_max)], dtype=bool)


def outcomes(draws: Draws, stages_max: int) -> Outcomes:
    """Foretell all of `orders`."""
    models, worlds = draws.first.shape
    ends = np.cumsum([models**stages for stages in range(1, stages_max + 1)])
    made = Outcomes(*(np.empty((ends[-1], worlds), draws.first.dtype) for _ in range(2)))
    for stages, end in enumerate(ends, start=1):
        shape = (*[models] * stages, worlds)
        _FILLED[stages - 1](draws, *(part[end - models**stages : end].reshape(shape) for part in made))
    return made


def outcome(draws: Draws, order: Order) -> Outcomes:
    """Foretell one plan, (draws)."""
    shares, successes = _stages(draws, order)
    delivered = [*map(draws.accepted, successes[:-1]), successes[-1]]
    success = np.sum([share * one for share, one in zip(shares, delivered, strict=True)], axis=0)
    return Outcomes(success, along(shares, draws.cost_first, draws.cost_after, order))


def reached(draws: Draws, order: Order) -> list[Floats]:
    """Return the share of jobs that reach each stage, (draws)."""
    return _stages(draws, order)[0]


def along(shares: list[Floats], first: Floats, after: Floats, order: Order) -> Floats:
    """Add up what a plan takes on average, of what its models take at first and after a rejection, (models, draws)."""
    takes = [first[order[0]], *(after[model] for model in order[1:])]
    total: Floats = np.sum([share * one for share, one in zip(shares, takes, strict=True)], axis=0)
    return total


def _stages(draws: Draws, order: Order) -> tuple[list[Floats], list[Floats]]:
    """Return the share of jobs that reach each stage, and the success of those."""
    successes = [draws.first[order[0]]]
    successes += [draws.after[before, model] for before, model in pairwise(order)]
    shares = [np.ones_like(successes[0])]
    for success in successes[:-1]:
        shares.append(shares[-1] * draws.rejected(success))
    return shares, successes


def _one_stage(draws: Draws, success: Floats, cost: Floats) -> None:
    success[:], cost[:] = draws.first, draws.cost_first


def _two_stages(draws: Draws, success: Floats, cost: Floats) -> None:
    """Fill (model, model, draws)."""
    accepted, rejected = draws.accepted(draws.first)[:, None], draws.rejected(draws.first)[:, None]
    success[:] = accepted + rejected * draws.after
    cost[:] = draws.cost_first[:, None] + rejected * draws.cost_after


def _three_stages(draws: Draws, success: Floats, cost: Floats) -> None:
    """Fill (model, model, model, draws), in place: most of the time of a choice is spent here."""
    first, second = draws.rejected(draws.first)[:, None, None], draws.rejected(draws.after)[:, :, None]
    np.multiply(second, draws.after, out=success)
    success += draws.accepted(draws.after)[:, :, None]
    success *= first
    success += draws.accepted(draws.first)[:, None, None]
    np.multiply(second, draws.cost_after, out=cost)
    cost += draws.cost_after[:, None]
    cost *= first
    cost += draws.cost_first[:, None, None]


_FILLED = (_one_stage, _two_stages, _three_stages)
