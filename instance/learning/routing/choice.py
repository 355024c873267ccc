"""Choosing a plan: the cheapest that is good enough, mostly by what is expected, sometimes by what is possible.

A share of the choices (`exploration`) is Thompson sampling (Thompson 1933; Russo et al., "A tutorial on Thompson
sampling", 2018): of a set of possible worlds one is drawn, and the plan that is best there is taken. The set is drawn
first and its seed is kept, so the propensity of a choice is what it was, given the seed, and not an estimate.

Before that a lot may give the job to the incumbent (`holdout`), so that there is something to measure advice against.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from instance.learning.routing.evidence import Evidence
from instance.learning.routing.outlook import Comparison, Outlook, Outlooks
from instance.learning.routing.task import Plan
from instance.learning.routing.worlds import WORLDS, Constraints, Worlds, propensities, with_holdout
from shared.errors import NotFoundError

ALTERNATIVES: Final = 3

_SEEDS: Final = 2**53


@dataclass(frozen=True)
class Choice:
    """A plan and why; without an outlook where nothing is known or nothing was to be chosen."""

    plan: Plan
    reason: str
    propensity: float
    """How likely this plan was to be chosen."""
    seed: int | None = None
    """Of the possible worlds the propensity follows from."""
    outlook: Outlook | None = None
    against_incumbent: Comparison | None = None
    alternatives: tuple[Outlook, ...] = ()
    """Other plans, the best expected first."""
    held_out: bool | None = None
    """Whether the lot fell on the incumbent; None: no lot was drawn."""


def choose(evidence: Evidence, constraints: Constraints, rng: np.random.Generator) -> Choice:
    """Choose a plan; the same evidence and state of the generator choose the same.

    `NotFoundError` when no plan is allowed and there is no incumbent.
    """
    if constraints.pinned is not None:
        return Choice(constraints.pinned, "pinned", 1.0)
    if constraints.is_off:
        return _incumbent(constraints, "routing is switched off: the incumbent")
    held_out = _draw_lot(constraints, rng)
    seed = int(rng.integers(_SEEDS))
    drawing = np.random.default_rng(seed)
    worlds = Worlds(evidence, constraints, drawing) if evidence.models else None
    if worlds is None or worlds.is_empty:
        nothing = _incumbent(constraints, "nothing is known of any model that is allowed: the incumbent")
        return replace(nothing, held_out=held_out)
    chosen = _choice(worlds, constraints, drawing, float(rng.random()), held_out=held_out)
    return replace(chosen, seed=seed, held_out=held_out)


def _draw_lot(constraints: Constraints, rng: np.random.Generator) -> bool | None:
    """Tell whether the choice is held out; None where there is nothing to hold out."""
    if not constraints.holdout or constraints.incumbent is None or not constraints.allows(constraints.incumbent):
        return None
    return bool(rng.random() < constraints.holdout)


def _choice(
    worlds: Worlds, constraints: Constraints, drawing: np.random.Generator, lot: float, *, held_out: bool | None
) -> Choice:
    expected, best = worlds.expected(), worlds.best()
    shares = propensities(expected, best, len(worlds.plans), constraints.exploration)
    if held_out is not None:
        shares = with_holdout(shares, worlds.incumbent, constraints.holdout)
    drawn = int(best[int(lot / constraints.exploration * WORLDS)]) if lot < constraints.exploration else expected
    place = worlds.incumbent if held_out else drawn
    outlooks = Outlooks(worlds, shares, drawing)
    others = [other for other in worlds.ranked()[: ALTERNATIVES + 1] if other != place][:ALTERNATIVES]
    if place is None:  # held out, and nothing is known of the incumbent: nothing else ever chooses it
        unknown = _incumbent(constraints, _held_out(constraints), propensity=constraints.holdout)
        return replace(unknown, alternatives=tuple(outlooks.of(others)))
    outlook, *alternatives = outlooks.of([place, *others])
    return Choice(
        plan=tuple(worlds.evidence.models[model] for model in worlds.plans[place]),
        reason=_held_out(constraints) if held_out else _reason(worlds, explored=place != expected),
        propensity=float(shares[place]),
        outlook=outlook,
        against_incumbent=outlooks.against(place, worlds.incumbent) if worlds.incumbent is not None else None,
        alternatives=tuple(alternatives),
    )


def _incumbent(constraints: Constraints, reason: str, propensity: float = 1.0) -> Choice:
    if constraints.incumbent is None:
        raise NotFoundError(
            "no model is known that may be used for this; name an incumbent, or record results of this kind of job"
        )
    return Choice(constraints.incumbent, reason, propensity)


def _held_out(constraints: Constraints) -> str:
    return f"held out: in {constraints.holdout:.1%} of choices the incumbent, whatever is known".replace("%", " %")


def _reason(worlds: Worlds, *, explored: bool) -> str:
    floor = f"{worlds.floor[0]:.0%}".replace("%", " %")
    if explored:
        return f"explored: the best in one of {WORLDS} worlds the evidence allows, where {floor} success is asked for"
    if worlds.is_measuring:
        return "the incumbent: too little is known of it to hold another plan against it"
    if worlds.reaches:
        return f"the cheapest of {int(worlds.surely.sum())} plans sure enough to reach {floor} success"
    return f"no plan is sure enough to reach {floor} success: the most successful of {int(worlds.allowed.sum())}"
