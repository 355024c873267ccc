"""Every order of up to three models with a verifier between, and what comes of each.

What the last model delivers is taken, accepted or not. A stage costs what it costs times the share of jobs that reach
it; running the verifier costs nothing.

Attempts after one rejection and after two are counted together, and foretold together: second ones a little worse than
they are and third ones a little better.

Whatever is foretold of them, what a model gets right at once and what it gets right after rejections must go together:
of the jobs it would get right, at most those are missing among the rejected that were accepted before. That bounds what
is foretold (Fréchet, "Généralisation du théorème des probabilités totales", 1935), and so trying another model first
costs no more success than the verifier wrongly accepts. It takes for granted that what a model was given at once was
neither harder nor easier than what others were.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise, product
from typing import Any, NamedTuple

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
    shares, right = _stages(draws, order)
    delivered = [*map(draws.accepted, right[:-1]), right[-1]]
    return Outcomes(np.sum(delivered, axis=0), along(shares, draws.cost_first, draws.cost_after, order))


def reached(draws: Draws, order: Sequence[Any]) -> list[Floats]:
    """Return the share of jobs that reach each stage, (draws); of stages that are arrays of models, (plans, draws)."""
    return _stages(draws, order)[0]


def along(shares: list[Floats], first: Floats, after: Floats, order: Order) -> Floats:
    """Add up what a plan takes on average, of what its models take at first and after a rejection, (models, draws)."""
    takes = [first[order[0]], *(after[model] for model in order[1:])]
    total: Floats = np.sum([share * one for share, one in zip(shares, takes, strict=True)], axis=0)
    return total


def _stages(draws: Draws, order: Sequence[Any]) -> tuple[list[Floats], list[Floats]]:
    """Return the share of jobs that reach each stage, and the share that is right there."""
    right = [draws.first[order[0]]]
    shares = [np.ones_like(right[0])]
    for before, model in pairwise(order):
        shares.append(draws.rejected(right[-1], shares[-1]))
        right.append(_coherent(shares[-1] * draws.after[before, model], draws.first[model], shares[-1]))
    return shares, right


def _coherent(foretold: Floats, at_once: Floats, share: Floats) -> Floats:
    """Bound what is right among the share of jobs that is left by what would be right at once among all; in place."""
    np.maximum(foretold, at_once + (share - 1), out=foretold)
    return np.minimum(foretold, at_once, out=foretold)


def _one_stage(draws: Draws, success: Floats, cost: Floats) -> None:
    success[:], cost[:] = draws.first, draws.cost_first


def _two_stages(draws: Draws, success: Floats, cost: Floats) -> None:
    """Fill (model, model, draws)."""
    left = draws.rejected(draws.first)[:, None]
    success[:] = draws.accepted(draws.first)[:, None] + _coherent(left * draws.after, draws.first, left)
    cost[:] = draws.cost_first[:, None] + left * draws.cost_after


def _three_stages(draws: Draws, success: Floats, cost: Floats) -> None:
    """Fill (model, model, model, draws), in place: most of the time of a choice is spent here."""
    first = draws.rejected(draws.first)[:, None]
    right = _coherent(first * draws.after, draws.first, first)
    second = draws.rejected(right, first)[:, :, None]
    np.multiply(second, draws.after, out=success)
    _coherent(success, draws.first, second)
    success += (draws.accepted(draws.first)[:, None] + draws.accepted(right))[:, :, None]
    np.multiply(second, draws.cost_after, out=cost)
    cost += (draws.cost_first[:, None] + first * draws.cost_after)[:, :, None]


_FILLED = (_one_stage, _two_stages, _three_stages)
