"""What the leading hub does when. One row a task; `schedules` in the settings overrides the times."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.aggregator import Aggregator
from centralcloud.announce import announce_statistics
from centralcloud.calibrate import calibrate_all
from centralcloud.config import SCHEDULES
from centralcloud.leadership import look_for_two_leaders
from centralcloud.routing import publish_priors
from centralcloud.store import activity, changes, registry, retention, samples, statistics
from shared.bus import Bus
from shared.database import transaction
from shared.jobs import queue, workers
from shared.metrics import Metrics
from shared.schedule import DAY, Task

KEPT_SECONDS: Final = 14 * DAY
"""How long confirmed envelopes and replayed dead letters are kept."""

FINISHED_KEPT_SECONDS: Final = 7 * DAY
"""How long finished jobs can be looked at."""

DELETED_MAX: Final = 5_000
"""Rows deleted in one transaction."""

Delete = Callable[[AsyncConnection, float, int], Awaitable[int]]


def schedule_table(engine: AsyncEngine, bus: Bus, aggregator: Aggregator, metrics: Metrics) -> list[Task]:
    """Rows of the schedule."""
    works: dict[str, Callable[[], Awaitable[Any]]] = {
        "aggregate": aggregator.request,
        "statistics": lambda: report_statistics(engine, bus),
        "calibration": lambda: calibrate_all(engine),
        "routing": lambda: publish_priors(engine, bus),
        "cleanup": lambda: clean_up(engine),
        "registry": lambda: tend_registry(engine),
        "leadership": lambda: look_for_two_leaders(engine, metrics),
    }
    return [Task(name, every_seconds, works[name]) for name, every_seconds in SCHEDULES.items()]


async def report_statistics(engine: AsyncEngine, bus: Bus) -> None:
    """Count and keep the numbers of every tenant; broadcast them where no other tenant hears it."""
    async with transaction(engine) as connection:
        known = await samples.tenants(connection)
        measured = [await statistics.measure(connection, tenant) for tenant in await changes.tenants(connection)]
        for one in measured:
            await statistics.record(connection, one)
    for one in measured:
        if known == [one.tenant]:
            await announce_statistics(bus, one)


async def clean_up(engine: AsyncEngine, kept_seconds: float = KEPT_SECONDS) -> None:
    """Delete what was confirmed or replayed long ago, in small transactions."""
    for delete in (retention.delete_envelopes, retention.delete_replayed_letters, retention.delete_posts):
        await _delete_all(engine, delete, kept_seconds)


async def tend_registry(engine: AsyncEngine) -> None:
    """Set silent instances offline; forget those long gone that left nothing, processes, and jobs."""
    async with transaction(engine) as connection:
        await registry.mark_silent_offline(connection)
        await registry.purge(connection)
        await workers.purge(connection)
        await queue.prune(connection, kept_seconds=FINISHED_KEPT_SECONDS, limit=DELETED_MAX)
    await take_samples(engine)


async def take_samples(engine: AsyncEngine) -> None:
    """Keep how every tenant stands, for charts; forget what is too old of that, and of the feed."""
    async with transaction(engine) as connection:
        tenants = await samples.tenants(connection)
    for tenant in tenants:
        async with transaction(engine) as connection:
            await samples.take(connection, tenant)
    async with transaction(engine) as connection:
        await samples.prune(connection, DELETED_MAX)
        await activity.prune(connection, activity.KEPT_MAX)


async def _delete_all(engine: AsyncEngine, delete: Delete, kept_seconds: float) -> None:
    deleted = DELETED_MAX
    while deleted == DELETED_MAX:
        async with transaction(engine) as connection:
            deleted = await delete(connection, kept_seconds, DELETED_MAX)
