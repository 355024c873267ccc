"""Partial pooling: results of other contexts count where there are few of one's own, but never without bound.

A level of the ladder holds what goes along with the task so far and no further; the sums of each level are apart, so
no result counts twice. What is known of the wider levels is a prior for the next one, whose mass is bounded by how
much contexts differ (Beta-Binomial; Kleinman, "Proportions with extraneous variance: single and independent samples",
1973) and by how much there is of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

CONTEXT_MASS_MAX: Final = 50.0
"""However alike contexts seem, the others together count as at most so many results of this one."""

_CORRELATION: Final = 0.1
_CORRELATION_RESULTS: Final = 20.0  # how many results the prior correlation weighs


class Pooled(NamedTuple):
    """Means and the number of results each of them is worth, of one shape."""

    mean: Floats
    mass: Floats

    def __or__(self, other: Pooled) -> Pooled:
        """Return both together; where neither knows anything, the mean of the first."""
        mass = self.mass + other.mass
        total = self.mean * self.mass + other.mean * other.mass
        return Pooled(np.divide(total, mass, out=self.mean.copy(), where=mass > 0), mass)

    def bounded(self, mass_max: float) -> Pooled:
        """Return it worth at most so many results."""
        return Pooled(self.mean, np.minimum(self.mass, mass_max))

    def lent(self, bound: float) -> Pooled:
        """Return it as the prior of something that differs by so much: variances add up, so masses do inversely."""
        lent = np.zeros_like(self.mass)
        np.divide(bound * self.mass, bound + self.mass, out=lent, where=self.mass > 0)
        return Pooled(self.mean, lent)

    def weighted(self, weight: Floats) -> Pooled:
        """Return it worth as many results times `weight`."""
        return Pooled(self.mean, self.mass * weight)


def measured(total: Floats, number: Floats) -> Pooled:
    """Return means of what was counted; 0 with no mass where nothing was."""
    return Pooled(np.divide(total, number, out=np.zeros_like(total), where=number > 0), number)


def climb(totals: Floats, numbers: Floats, bounds: Sequence[float]) -> Pooled:
    """Pool levels, the widest first (axis 0); `bounds` holds one mass for each step from a level to the next."""
    pooled = measured(totals[0], numbers[0])
    for total, number, bound in zip(totals[1:], numbers[1:], bounds, strict=True):
        pooled = pooled.lent(bound) | measured(total, number)
    return pooled


def correlation(groups: Iterable[Sequence[tuple[float, float]]]) -> float:
    """Estimate by moments how alike results of one context are, from groups of (succeeded, labelled) by context.

    Each group is of one model. 0 when contexts do not matter, 1 when they decide; few results leave it near 0.1.
    """
    evidence, surplus = 0.0, 0.0
    for group in groups:
        total = sum(number for _, number in group)
        rate = sum(succeeded for succeeded, _ in group) / total if total else 0.0
        if not 0.0 < rate < 1.0:
            continue
        spread = sum(number * (succeeded / number - rate) ** 2 for succeeded, number in group if number)
        free = sum(number > 0 for _, number in group) - 1
        evidence += spread / (rate * (1 - rate)) - free
        surplus += total - sum(number * number for _, number in group) / total - free
    estimate = (evidence + _CORRELATION * _CORRELATION_RESULTS) / (max(0.0, surplus) + _CORRELATION_RESULTS)
    return min(1.0, max(0.0, estimate))


def mass_of(correlated: float) -> float:
    """Return as how many results of this context all the others count at most."""
    return min(CONTEXT_MASS_MAX, 1.0 / correlated - 1.0) if correlated > 0 else CONTEXT_MASS_MAX
