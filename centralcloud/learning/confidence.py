"""How sure the fleet is: votes of repositories, bounded per instance, and the lower bound of their share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from math import fsum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

REPOSITORIES_MAX: Final = 5.0
"""An instance counts as at most so many repositories, however many it has."""

Z: Final = 1.645
"""Standard normal quantile of a one-sided 95 % bound."""

Holding = tuple[str, str]
"""An instance and a repository it has."""


def votes(holdings: Collection[Holding]) -> dict[Holding, float]:
    """Weigh each distinct (instance, repository).

    A repository is one vote, shared equally by the instances that have it. The votes of an instance are then
    scaled down to `REPOSITORIES_MAX` together, so that its rate stays and its weight is bounded.
    """
    holders = Counter(repository for _, repository in holdings)
    shares: dict[str, list[float]] = defaultdict(list)
    for instance, repository in holdings:
        shares[instance].append(1.0 / holders[repository])
    scale = {instance: min(1.0, REPOSITORIES_MAX / fsum(parts)) for instance, parts in shares.items()}
    return {holding: scale[holding[0]] / holders[holding[1]] for holding in holdings}


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
