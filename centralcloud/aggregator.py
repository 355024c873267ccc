"""When insights are brought up to date: soon after something new arrived, and whenever somebody asks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import AggregationResult, Scope, aggregate
from centralcloud.announce import announce_insights
from centralcloud.config import HALF_LIFE_DAYS, INSTANCES_MIN
from centralcloud.store import changes, insights, samples
from shared import tracing
from shared.bus import Bus
from shared.database import transaction
from shared.errors import TransientError
from shared.metrics import Metrics
from shared.service import Service

log = structlog.get_logger(__name__)

DEBOUNCE_SECONDS: Final = 0.5
"""What arrives within this time is merged together."""

POLL_SECONDS: Final = 30.0
"""Looks without having been told, so that a signal lost in a crash, or a change by somebody else, is not."""

REST_FACTOR: Final = 4.0
"""Rests this many times as long as it worked: under load it takes a fifth of a core, not all of it."""


TRACES_MAX: Final = 32
"""So many arrivals are remembered for the trace of what is made of them."""


class Aggregator(Service):
    """Turns arrivals into new insights promptly, on the hub that leads."""

    name = "aggregator"

    def __init__(
        self,
        engine: AsyncEngine,
        bus: Bus,
        metrics: Metrics,
        *,
        debounce_seconds: float = DEBOUNCE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
        half_life_days: float = HALF_LIFE_DAYS,
        instances_min: int = INSTANCES_MIN,
    ) -> None:
        super().__init__()
        self._engine = engine
        self._bus = bus
        self._metrics = metrics
        self._debounce_seconds = debounce_seconds
        self._poll_seconds = poll_seconds
        self._half_life_days = half_life_days
        self._instances_min = instances_min
        self._notified = asyncio.Event()
        self._announced: dict[str, int] = {}
        self._traces: dict[str, None] = {}

    def notify(self, traceparent: str = "") -> None:
        """Say that observations were committed, here or by another hub, and in which trace."""
        if len(self._traces) < TRACES_MAX:
            self._traces[traceparent] = None
        self._notified.set()

    async def request(self, scope: Scope = "all") -> list[AggregationResult]:
        """Aggregate every tenant now and announce what changed; raises `TransientError` when the database is away."""
        async with transaction(self._engine) as connection:
            tenants = await changes.tenants(connection)
        return [await self._aggregate(tenant, scope) for tenant in tenants]

    async def run(self) -> None:
        """Merge what is new, once after each burst of notifications."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._notified.wait(), self._poll_seconds)
            await asyncio.sleep(self._debounce_seconds)
            self._notified.clear()
            await asyncio.sleep(REST_FACTOR * await self._merge_new())

    async def _merge_new(self) -> float:
        """Return how many seconds it took; what failed is tried again at the next notification or poll."""
        traces, self._traces = self._traces, {}
        try:
            with tracing.span("aggregate", kind="consumer", parents=traces):
                results = await self.request("new")
        except TransientError as error:
            log.warning("aggregation put off", reason=str(error))
        except Exception:
            log.exception("aggregation failed")
        else:
            return sum(result.seconds for result in results)
        return 0.0

    async def _aggregate(self, tenant: str, scope: Scope) -> AggregationResult:
        result = await aggregate(
            self._engine,
            tenant,
            scope,
            half_life_days=self._half_life_days,
            instances_min=self._instances_min,
        )
        self._metrics.aggregate_seconds.observe(result.seconds)
        self._metrics.insights_changed.inc(result.changed)
        if result.head != self._announced.get(tenant, 0):
            await self._announce(result)
        return result

    async def _announce(self, result: AggregationResult) -> None:
        """Announce also what somebody else changed: another hub, or a person at the command line."""
        log.info("insights changed", tenant=result.tenant, scope=result.scope, changed=result.changed, head=result.head)
        async with transaction(self._engine) as connection:
            is_heard_by_others = await samples.tenants(connection) != [result.tenant]
            summary = None if is_heard_by_others else await insights.summary(connection, result.tenant)
        await announce_insights(self._bus, result, summary)
        self._announced[result.tenant] = result.head
