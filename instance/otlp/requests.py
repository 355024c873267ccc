"""One request to a model, as an emitter tells of it, and the result it becomes.

A transcript tells of the same work, but of its turns (`agent.turn`), each the sum of its requests. What is recorded
here is of another kind, `llm.request`, so that sums over one kind of job never hold a request twice; who adds up what
models cost takes one kind or the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from msgspec import structs

from instance.learning.prices import COST_CENTS_MAX, MICRO, Prices, listed_cost_cents
from instance.store.results import JobResult, Usage
from shared.errors import ContractError

JOB_TYPE: Final = "llm.request"


AHEAD_MAX: Final = timedelta(hours=1)
"""What says it ended later than this from now ended now: clocks differ, days that have not come have no sums."""


class Request(NamedTuple):
    """What an emitter told of one request."""

    emitter: str
    identity: str
    """The same whenever it is told again."""
    usage: Usage
    ended: datetime
    duration_ms: int | None = None
    failed: bool = False
    error: str = ""
    """A code, never what a program or a provider wrote."""
    context: Mapping[str, str] = {}

    def result(self, prices: Prices, now: datetime) -> JobResult:
        """Say it as a result; nobody knows yet whether an answer was right, only that there was none.

        Raises `ContractError` for a cost nobody can have paid.
        """
        told = structs.asdict(self.usage)
        ended = self.ended if self.ended <= now + AHEAD_MAX else now
        cost = self.usage.cost_cents
        cost = listed_cost_cents(prices, told, ended.date()) if cost is None else cost.quantize(MICRO)
        if cost is not None and cost >= COST_CENTS_MAX:
            raise ContractError("it cost more than a request can")
        told["cost_cents"] = cost
        began = None if self.duration_ms is None else ended - timedelta(milliseconds=self.duration_ms)
        return JobResult(
            job_type=JOB_TYPE,
            source=f"otlp.{self.emitter}",
            external_id=self.identity,
            status="failed" if self.failed else "unlabelled",
            error=self.error,
            duration_ms=self.duration_ms,
            started_at=began,
            completed_at=ended,
            context=dict(self.context),
            **told,
        )
