"""Which instances there are on a PostgreSQL server, and what one of them is doing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True)
class ScheduleRun:
    """The last run of a schedule, and when the next is due."""

    name: str
    last_started: datetime
    last_finished: datetime | None
    next_run: datetime | None
    last_error: str | None
    runs: int


@dataclass(frozen=True)
class Totals:
    """What was studied so far."""

    repositories: int
    files: int
    patterns: int


_HAS_INSTANCE = text("SELECT to_regclass('identity') IS NOT NULL AND to_regclass('uplink') IS NOT NULL")
_NAME = text("SELECT instance_id FROM identity")
_DATABASES = text("SELECT datname FROM pg_database WHERE starts_with(datname, :prefix) ORDER BY datname")
_RUNS = text("""
    SELECT name, last_started, last_finished, next_run, last_error, runs FROM schedule_runs ORDER BY name
""")
_HOLDER = text("""
    SELECT pid, hostname FROM distributed_locks WHERE lock_name = 'instance' AND expires_at > clock_timestamp()
""")
_TOTALS = text("""
    SELECT (SELECT count(*) FROM repositories), (SELECT count(*) FROM files), (SELECT count(*) FROM patterns)
""")


async def name_here(connection: AsyncConnection) -> str | None:
    """The instance this very database belongs to; None when it is another kind of database."""
    if not (await connection.execute(_HAS_INSTANCE)).scalar():
        return None
    name: str | None = (await connection.execute(_NAME)).scalar()
    return name


async def databases(connection: AsyncConnection, prefix: str) -> list[str]:
    """Databases of the server whose name begins so, by name."""
    return [name for (name,) in await connection.execute(_DATABASES, {"prefix": prefix})]


async def schedule_runs(connection: AsyncConnection) -> list[ScheduleRun]:
    """Every schedule that ever ran, by name."""
    return [ScheduleRun(*row) for row in await connection.execute(_RUNS)]


async def daemon(connection: AsyncConnection) -> tuple[int, str] | None:
    """Process id and host of the daemon that holds this database; None when none does."""
    row = (await connection.execute(_HOLDER)).one_or_none()
    return (row[0], row[1]) if row else None


async def totals(connection: AsyncConnection) -> Totals:
    """Count what was studied."""
    return Totals(*(await connection.execute(_TOTALS)).one())
