"""What a model costs and how long it takes: the mean, how sure it is, and how single results are spread."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from instance.learning.routing.counts import Counts
from instance.learning.routing.pooling import Floats, Pooled, climb, measured

CONTEXT_MASS: Final = 4.0
"""Results of other contexts count as at most so many: what a job costs differs more between contexts than success."""

FLEET_MASS_MAX: Final = 20.0
"""Results of other instances count as at most so many."""

_SPREAD, _SPREAD_RESULTS = 1.0, 2.0  # variance of the logarithms until it is known, and how many results that weighs
_SPREAD_MAX: Final = 4.0
_RATIO_RESULTS: Final = 5.0  # until it is known, an attempt after a rejection costs as much as one at once
_NUMBER: Final = {"cost": "priced", "latency": "timed"}


class Quantity(NamedTuple):
    """Costs or durations by model; a model nothing is known of has mass 0."""

    first: Pooled
    after: Pooled
    """After another model was rejected, whichever."""
    spread: Floats
    """Variance of the logarithms of single results."""

    def errors(self, pooled: Pooled) -> Floats:
        """Return the standard deviations of the logarithms of the means."""
        relative = np.expm1(self.spread) / np.maximum(pooled.mass, 1.0)
        errors: Floats = np.sqrt(np.log1p(relative))
        return errors


def quantity(here: Counts, there: Counts, name: str) -> Quantity:
    """Pool the cost or the latency of each model over contexts and the fleet."""
    bounds = [CONTEXT_MASS] * (len(here.tallies) - 1)
    number = _NUMBER[name]
    own = climb(here.first(name), here.first(number), bounds)
    fleet = climb(there.first(name), there.first(number), bounds).bounded(FLEET_MASS_MAX)
    first = own | fleet
    seen = measured(*(sum(one.after(part).sum(axis=(0, 1)) for one in (here, there)) for part in (name, number)))
    usual = Pooled(first.mean * _ratio(first, seen), first.mass).lent(CONTEXT_MASS)
    never_first = seen.lent(CONTEXT_MASS).weighted(first.mass == 0)
    return Quantity(first | never_first, usual | seen, _spread(here, there, name, number))


def _ratio(first: Pooled, seen: Pooled) -> float:
    """Return how many times as much an attempt after a rejection takes, over all models known both ways."""
    both = (first.mass > 0) & (seen.mass > 0)
    results = float(seen.mass[both].sum())
    if not results:
        return 1.0
    expected = float((first.mean * seen.mass)[both].sum())
    found = float((seen.mean * seen.mass)[both].sum())
    lent = _RATIO_RESULTS * expected / results
    return (found + lent) / (expected + lent) if expected else 1.0


def _spread(here: Counts, there: Counts, name: str, number: str) -> Floats:
    """Return the variance of logarithms within models, first attempts of all contexts together."""
    results, logs, squares = (
        np.asarray(sum(one.first(part).sum(axis=0) for one in (here, there)))
        for part in (number, f"log_{name}", f"log_{name}_squares")
    )
    middle = np.divide(logs, results, out=np.zeros_like(logs), where=results > 0)
    deviations = np.maximum(squares - results * middle * middle, 0.0)
    spread: Floats = (deviations + _SPREAD_RESULTS * _SPREAD) / (results + _SPREAD_RESULTS)
    return np.minimum(spread, _SPREAD_MAX)
