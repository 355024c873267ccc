"""How sure the fleet is: votes of repositories, bounded per instance, and the lower bound of their share.

The repositories of one instance are alike: their number counts by the Beta-Binomial model, in which n of them with an
intraclass correlation rho say as much as n / (1 + rho (n - 1)) independent ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from math import fsum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

REPOSITORIES_MAX: Final = 5.0
"""An instance counts as at most so many repositories, however many it has."""

Z: Final = 1.645
"""Standard normal quantile of a one-sided 95 % bound."""

CORRELATION_STEPS: Final = 20
_CORRELATION_PRIOR: Final = 0.1
_PRIOR_REPOSITORIES: Final = 20.0
"""The prior weighs as much as this many repositories beside the first ones of their instances."""

Holding = tuple[str, str]
"""An instance and a repository it has."""


def shares(holdings: Collection[Holding]) -> dict[Holding, float]:
    """Return the vote of each distinct (instance, repository): a repository is one, shared by those that have it."""
    holders = Counter(repository for _, repository in holdings)
    return {holding: 1.0 / holders[holding[1]] for holding in holdings}


def decay(weeks_silent: int, half_life_days: float) -> float:
    """Weight of an instance not heard from for so many whole weeks."""
    return round(float(0.5 ** (7.0 * weeks_silent / half_life_days)), 4)


def wilson_lower_bound(positive: ArrayLike, total: ArrayLike) -> NDArray[np.float64]:
    """Lower bound of `positive / total` element by element; 0 where there are no votes.

    Wilson, "Probable inference, the law of succession, and statistical inference", 1927; one-sided 95 %. Votes may
    be fractions.
    """
    n = np.asarray(total, dtype=np.float64)
    safe = np.where(n > 0, n, 1.0)
    p = np.clip(np.asarray(positive, dtype=np.float64) / safe, 0.0, 1.0)
    spread = Z * np.sqrt(p * (1 - p) / safe + Z**2 / (4 * safe**2))
    bound = (p + Z**2 / (2 * safe) - spread) / (1 + Z**2 / safe)
    return np.where(n > 0, np.clip(bound, 0.0, 1.0), 0.0)


def wilson_interval(positive: float, total: float) -> tuple[float, float]:
    """Both bounds of a share, one-sided 95 % each; `total` is above 0."""
    lower, missing = wilson_lower_bound([positive, total - positive], [total, total]).tolist()
    return lower, 1.0 - missing


def upper_bound(rate: float, lower: float) -> float:
    """The other Wilson bound of a share whose lower one is known, without the votes behind it.

    Both are the roots of (x - p)^2 = a x (1 - x), with a = Z^2 / n: the lower one gives a, and a their sum.
    """
    if not 0.0 < lower < rate:
        return min(1.0, max(rate, lower))
    a = (rate - lower) ** 2 / (lower * (1.0 - lower))
    return min(1.0, max(rate, (2.0 * rate + a) / (1.0 + a) - lower))


class Voter(NamedTuple):
    """One instance: the votes of its repositories, and how much it is believed (0 to 1)."""

    repositories: float
    weight: float

    def effective(self, correlation: float) -> float:
        """Return how many independent repositories it counts as."""
        independent = self.repositories / (1.0 + correlation * max(0.0, self.repositories - 1.0))
        return self.weight * min(REPOSITORIES_MAX, independent)

    @property
    def bounded(self) -> float:
        """Return its repositories, at most `REPOSITORIES_MAX`."""
        return min(REPOSITORIES_MAX, self.repositories)

    @property
    def surplus(self) -> float:
        """Return its repositories beside the first: what correlation can be told by."""
        return max(0.0, self.bounded - 1.0)


@dataclass(frozen=True)
class Count:
    """A share as votes: `positive` of `total`."""

    positive: float
    total: float


class Poll:
    """All voters of one language; counts any question they answered. Pure, and exact in any order (`fsum`)."""

    def __init__(self, voters: dict[str, Voter]) -> None:
        self.voters = voters
        self._totals: dict[float, float] = {}

    def count(self, yes: dict[str, float]) -> Count:
        """Count the votes of repositories, by instance, that have a pattern; the others say no."""
        rates = {name: min(1.0, votes / self.voters[name].repositories) for name, votes in yes.items()}
        correlation = self.correlation(rates)
        positive = fsum(self.voters[name].effective(correlation) * rate for name, rate in rates.items())
        return Count(positive, self._total(correlation))

    def correlation(self, rates: dict[str, float]) -> float:
        """Estimate, by moments, how alike the repositories of one instance are: 0 to 1 in steps of 1/20.

        Kleinman, "Proportions with extraneous variance: single and independent samples", 1973. Few repositories tell
        little: the estimate is drawn towards 0.1.
        """
        surplus = self._sums.surplus
        if surplus == 0.0:
            return 0.0
        named = [(self.voters[name], rate) for name, rate in rates.items()]
        mean = fsum(voter.weight * voter.bounded * rate for voter, rate in named) / self._sums.bounded
        evidence = 0.0
        if 0.0 < mean < 1.0:
            spread = mean * mean * self._sums.bounded_of_many + fsum(
                voter.weight * voter.bounded * ((rate - mean) ** 2 - mean * mean)
                for voter, rate in named
                if voter.surplus
            )
            evidence = spread / (mean * (1.0 - mean)) - self._sums.many
        estimate = (evidence + _PRIOR_REPOSITORIES * _CORRELATION_PRIOR) / (surplus + _PRIOR_REPOSITORIES)
        return round(min(1.0, max(0.0, estimate)) * CORRELATION_STEPS) / CORRELATION_STEPS

    def _total(self, correlation: float) -> float:
        if correlation not in self._totals:
            self._totals[correlation] = fsum(voter.effective(correlation) for voter in self.voters.values())
        return self._totals[correlation]

    @cached_property
    def _sums(self) -> _Sums:
        many = [voter for voter in self.voters.values() if voter.surplus]
        return _Sums(
            bounded=_weighted((voter, voter.bounded) for voter in self.voters.values()),
            bounded_of_many=_weighted((voter, voter.bounded) for voter in many),
            many=_weighted((voter, 1.0) for voter in many),
            surplus=_weighted((voter, voter.surplus) for voter in many),
        )


class _Sums(NamedTuple):
    """Sums over voters, each times its weight; `many` are those with more than one repository."""

    bounded: float
    bounded_of_many: float
    many: float
    surplus: float


def _weighted(values: Iterable[tuple[Voter, float]]) -> float:
    return fsum(voter.weight * value for voter, value in values)
