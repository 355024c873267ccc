"""Looking at the queue: jobs, newest first, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.jobs.outcome import State

_COLUMNS = """
    SELECT id, state::text AS state, queue, worker AS kind, args, errors, attempt, max_attempts AS attempts_max,
           priority, tags, meta, tenant_id AS tenant, inserted_at, scheduled_at, attempted_at,
           coalesce(completed_at, discarded_at, cancelled_at) AS finished_at, attempted_by[1] AS worker, unique_key,
           idempotency_key, result
      FROM oban_jobs
"""
_GET = text(f"{_COLUMNS} WHERE id = :id")
_GET_MANY = text(f"{_COLUMNS} WHERE id = ANY(:ids) ORDER BY id")
_LIST = text(f"""
    {_COLUMNS}
     WHERE (CAST(:before AS bigint) IS NULL OR id < :before)
       AND (CAST(:states AS text[]) IS NULL OR state::text = ANY(:states))
       AND (CAST(:queue AS text) IS NULL OR queue = :queue)
       AND (CAST(:kind AS text) IS NULL OR worker = :kind)
       AND (CAST(:tenant AS text) IS NULL OR tenant_id = :tenant)
     ORDER BY id DESC LIMIT :limit
""")
_COUNTS = text("SELECT queue, state::text AS state, count(*) AS jobs FROM oban_jobs GROUP BY queue, state")
_WAITS = text("""
    SELECT queue, CAST(extract(epoch FROM clock_timestamp() - min(scheduled_at)) AS double precision) AS seconds
      FROM oban_jobs WHERE state = 'available' GROUP BY queue
""")


@dataclass(frozen=True)
class JobRow:
    """A job as it is kept. `worker` is who has or had its last attempt; `errors` are the failed attempts in full."""

    id: int
    state: State
    queue: str
    kind: str
    args: Any
    errors: list[dict[str, Any]]
    attempt: int
    attempts_max: int
    priority: int
    tags: list[str]
    meta: dict[str, Any]
    tenant: str
    inserted_at: datetime
    scheduled_at: datetime
    attempted_at: datetime | None
    finished_at: datetime | None
    worker: str | None
    unique_key: str | None
    idempotency_key: str | None
    result: Any


async def get(connection: AsyncConnection, job_id: int) -> JobRow | None:
    """One job, if it is there (finished ones are pruned one day)."""
    row = (await connection.execute(_GET, {"id": job_id})).mappings().one_or_none()
    return None if row is None else JobRow(**row)


async def get_many(connection: AsyncConnection, ids: Sequence[int]) -> list[JobRow]:
    """Those of some jobs that are there, by id."""
    return [JobRow(**row) for row in (await connection.execute(_GET_MANY, {"ids": list(ids)})).mappings()]


async def list_jobs(
    connection: AsyncConnection,
    *,
    states: Sequence[State] | None = None,
    queue: str | None = None,
    kind: str | None = None,
    tenant: str | None = None,
    limit: int = 100,
    before: int | None = None,
) -> list[JobRow]:
    """Jobs that fit all that is given, newest first; to go on, pass the last id as `before`."""
    values = {
        "states": None if states is None else list(states),
        "queue": queue,
        "kind": kind,
        "tenant": tenant,
        "limit": limit,
        "before": before,
    }
    return [JobRow(**row) for row in (await connection.execute(_LIST, values)).mappings()]


async def counts(connection: AsyncConnection) -> dict[str, dict[State, int]]:
    """How many jobs there are by queue and state; what there is none of is left out."""
    counted: dict[str, dict[State, int]] = {}
    for queue, state, jobs in await connection.execute(_COUNTS):
        counted.setdefault(queue, {})[state] = jobs
    return counted


async def longest_waits(connection: AsyncConnection) -> dict[str, float]:
    """How many seconds the job of each queue that is due longest has waited; queues without one are left out."""
    return {row.queue: max(0.0, row.seconds) for row in await connection.execute(_WAITS)}
