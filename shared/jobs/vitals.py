"""Whether a queue and its workers live: what health asks the database, in one statement."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.jobs.workers import SUSPECT_SECONDS

WAITING_MAX: Final = 10_000
"""More are not counted."""

_VITALS: Final = text("""
    SELECT (SELECT count(*) FROM job_queues),
           (SELECT count(*) FROM workers
             WHERE status <> 'offline' AND last_heartbeat_at > clock_timestamp() - make_interval(secs => :suspect)),
           (SELECT count(*) FROM (SELECT FROM oban_jobs WHERE state = 'available' LIMIT :most) AS waiting)
""")


class Vitals(NamedTuple):
    """Queues there are, workers heard of in the last 30 s, and jobs that wait, at most so many."""

    queues: int
    workers: int
    waiting: int


async def vitals(connection: AsyncConnection) -> Vitals:
    """Read them."""
    told = {"suspect": SUSPECT_SECONDS, "most": WAITING_MAX}
    return Vitals(*(await connection.execute(_VITALS, told)).one())
