"""What the fleet's jobs cost and whether they worked: sums of instances added up, rates only made of the sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from schemas.results import ResultSums
from shared import sketch
from shared.results import merge

C = TypeVar("C", bound="Contribution")
K = TypeVar("K")

_MICROCENTS: Final = 1_000_000


class Contribution(Protocol):
    """What one instance says of one kind of job with one model."""

    @property
    def instance(self) -> str: ...  # noqa: D102
    @property
    def job_type(self) -> str: ...  # noqa: D102
    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def sums(self) -> ResultSums: ...  # noqa: D102


@dataclass(frozen=True)
class Total:
    """Sums of many results; a rate or a mean of nothing is None, never 0."""

    instances: int
    sums: ResultSums

    @property
    def success_rate(self) -> float | None:
        """Of the results somebody has judged."""
        judged = self.sums.succeeded + self.sums.failed
        return self.sums.succeeded / judged if judged else None

    @property
    def cost_cents(self) -> float | None:
        """Mean, of the results whose cost is known."""
        return self.sums.cost_microcents / _MICROCENTS / self.sums.priced if self.sums.priced else None

    @property
    def latency_ms(self) -> float | None:
        """Mean, of the results whose duration is known."""
        return self.sums.latency_ms / self.sums.timed if self.sums.timed else None

    def cost_cents_at(self, q: float) -> float | None:
        """Quantile of the cost, within 1 %; `q` is 0 to 1."""
        found = sketch.quantile(self.sums.cost, q)
        return found / _MICROCENTS if found is not None else None

    def latency_ms_at(self, q: float) -> float | None:
        """Quantile of the duration, within 1 %; `q` is 0 to 1."""
        return sketch.quantile(self.sums.latency, q)


def totals(contributions: Iterable[C], by: Callable[[C], K]) -> dict[K, Total]:
    """Add up what instances said, by whatever of it is asked for."""
    groups: defaultdict[K, list[C]] = defaultdict(list)
    for contribution in contributions:
        groups[by(contribution)].append(contribution)
    return {
        key: Total(len({one.instance for one in group}), merge(one.sums for one in group))
        for key, group in groups.items()
    }


def by_job_and_model(contribution: Contribution) -> tuple[str, str]:
    """Group by kind of job and model, all instances, days and contexts together."""
    return contribution.job_type, contribution.model
