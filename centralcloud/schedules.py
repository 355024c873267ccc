"""What centralcloud does when. One row a task; `schedules` in the settings overrides the times."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.aggregator import Aggregator
from centralcloud.announce import announce_statistics
from centralcloud.calibrate import calibrate_all
from centralcloud.store import changes, registry, retention, statistics
from shared.bus import Bus
from shared.database import transaction
from shared.schedule import DAY, HOUR, Task

KEPT_SECONDS: Final = 14 * DAY
"""How long confirmed envelopes and replayed dead letters are kept."""

DELETED_MAX: Final = 5_000
"""Rows deleted in one transaction."""

Delete = Callable[[AsyncConnection, float, int], Awaitable[int]]


def schedule_table(engine: AsyncEngine, bus: Bus, aggregator: Aggregator) -> list[Task]:
    """Rows of the schedule."""
    return [
        Task("aggregate", HOUR, aggregator.request),
        Task("statistics", HOUR, lambda: report_statistics(engine, bus)),
        Task("calibration", 6 * HOUR, lambda: calibrate_all(engine)),
        Task("cleanup", 7 * DAY, lambda: clean_up(engine)),
        Task("registry", 30.0, lambda: tend_registry(engine)),
    ]


async def report_statistics(engine: AsyncEngine, bus: Bus) -> None:
    """Count, keep and broadcast the numbers of every tenant."""
    async with transaction(engine) as connection:
        measured = [await statistics.measure(connection, tenant) for tenant in await changes.tenants(connection)]
        for one in measured:
            await statistics.record(connection, one)
    for one in measured:
        await announce_statistics(bus, one)


async def clean_up(engine: AsyncEngine, kept_seconds: float = KEPT_SECONDS) -> None:
    """Delete what was confirmed or replayed long ago, in small transactions."""
    for delete in (retention.delete_envelopes, retention.delete_replayed_letters):
        await _delete_all(engine, delete, kept_seconds)


async def tend_registry(engine: AsyncEngine) -> None:
    """Set silent instances offline, and forget those long gone that left nothing."""
    async with transaction(engine) as connection:
        await registry.mark_silent_offline(connection)
        await registry.purge(connection)


async def _delete_all(engine: AsyncEngine, delete: Delete, kept_seconds: float) -> None:
    deleted = DELETED_MAX
    while deleted == DELETED_MAX:
        async with transaction(engine) as connection:
            deleted = await delete(connection, kept_seconds, DELETED_MAX)
