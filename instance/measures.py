"""What the process that speaks for an instance measures every few seconds: its backlog and its queues."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from instance.store import outbox
from instance.sync.flow import Pace
from shared.database import transaction
from shared.jobs.meter import queue_measure
from shared.measuring import Measure
from shared.metrics import Metrics


def instance_measures(engine: AsyncEngine, metrics: Metrics, region: str) -> list[Measure]:
    """What is to be measured once for all processes of an instance."""
    return [outbox_measure(engine, metrics), queue_measure(engine, metrics, region)]


def outbox_measure(engine: AsyncEngine, metrics: Metrics) -> Measure:
    """How many events centralcloud has not confirmed, and since when the oldest waits."""

    async def take() -> None:
        async with transaction(engine) as connection:
            pending, age_seconds = await outbox.backlog(connection)
        metrics.outbox_pending.set(pending)
        metrics.outbox_oldest.set(age_seconds)

    return Measure("outbox", take, [metrics.outbox_pending, metrics.outbox_oldest])


def flow_measure(pace: Pace, metrics: Metrics) -> Measure:
    """Whether centralcloud has asked this instance to slow down."""

    async def take() -> None:
        metrics.uplink_slowed.set(pace.slow)

    return Measure("flow", take, [metrics.uplink_slowed])
