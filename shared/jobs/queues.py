"""The queues there are: how many jobs of each a worker runs at once, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import NotFoundError, UsageError
from shared.jobs import signals
from shared.jobs.queue import notify

LIMIT_MAX: Final = 1_000

_LIST = text("SELECT name, limit_per_worker, paused FROM job_queues ORDER BY name")
_PAUSE = text("UPDATE job_queues SET paused = true, updated_at = clock_timestamp() WHERE name = :name")
_RESUME = text("UPDATE job_queues SET paused = false, updated_at = clock_timestamp() WHERE name = :name")
_RESCALE = text("UPDATE job_queues SET limit_per_worker = :limit, updated_at = clock_timestamp() WHERE name = :name")


@dataclass(frozen=True)
class QueueRow:
    """A queue and its settings."""

    name: str
    limit_per_worker: int
    paused: bool


async def queues(connection: AsyncConnection) -> list[QueueRow]:
    """All queues, by name."""
    return [QueueRow(*row) for row in await connection.execute(_LIST)]


async def pause_queue(connection: AsyncConnection, name: str) -> None:
    """Have no more of its jobs begun, by any worker, from the commit on; raises `NotFoundError`."""
    await _change(connection, _PAUSE, {"name": name})


async def resume_queue(connection: AsyncConnection, name: str) -> None:
    """Go on; raises `NotFoundError`."""
    await _change(connection, _RESUME, {"name": name})


async def rescale_queue(connection: AsyncConnection, name: str, limit: int) -> None:
    """Let each worker run so many of its jobs at once; what runs goes on. Raises `NotFoundError`."""
    if not 0 <= limit <= LIMIT_MAX:
        raise UsageError(f"{limit} jobs at once are not between 0 and {LIMIT_MAX}")
    await _change(connection, _RESCALE, {"name": name, "limit": limit})


async def _change(connection: AsyncConnection, statement: TextClause, values: dict[str, object]) -> None:
    if not (await connection.execute(statement, values)).rowcount:
        names = ", ".join(row.name for row in await queues(connection))
        raise NotFoundError(f"no queue is called {values['name']}; there are {names}")
    await notify(connection, signals.everything())
