"""Reading `schedule_runs`: what ran when, and how it ended."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_ALL = text("SELECT name, runs, last_started, last_finished, next_run, last_error FROM schedule_runs ORDER BY name")


class ScheduleRun(Struct, frozen=True):
    """The last run of one schedule."""

    name: str
    runs: int
    last_started: datetime
    last_finished: datetime | None
    next_run: datetime | None
    last_error: str | None


async def last_runs(connection: AsyncConnection) -> list[ScheduleRun]:
    """Read every schedule that ever ran, by name."""
    return [ScheduleRun(*row) for row in await connection.execute(_ALL)]
