"""Means over repositories, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

RESAMPLES: Final = 10_000
SAME: Final = 1e-9


class Difference(NamedTuple):
    """A mean of paired differences with its 95 % interval, and for how many repositories it is which way."""

    mean: float
    low: float
    high: float
    wins: int
    ties: int
    losses: int

    def __str__(self) -> str:
        """Write it as a cell of a table."""
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}] {self.wins:3}/{self.ties}/{self.losses}"


def difference(of: Sequence[float], against: Sequence[float]) -> Difference:
    """Compare two measures of the same repositories; the interval is a percentile bootstrap over repositories."""
    paired = np.subtract(of, against)
    chosen = np.random.default_rng(0).integers(0, len(paired), (RESAMPLES, len(paired)))
    low, high = np.percentile(paired[chosen].mean(axis=1), [2.5, 97.5])
    wins, losses = int((paired > SAME).sum()), int((paired < -SAME).sum())
    return Difference(float(paired.mean()), float(low), float(high), wins, len(paired) - wins - losses, losses)
