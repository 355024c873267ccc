"""Putting jobs on the queue and taking them off again: functions of the caller's connection and transaction.

What is enqueued is seen, and workers are told of it, when the caller commits: jobs and the rows they are about are
written together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared import tracing
from shared.errors import TransientError, UsageError
from shared.jobs import signals
from shared.jobs.jsonb import document
from shared.jobs.kinds import Kind
from shared.jobs.outcome import DELAY_SECONDS_MAX

A = TypeVar("A")
R = TypeVar("R")

PRIORITY_MAX: Final = 9
DEFAULT_TENANT: Final = "default"
_TRIES_MAX: Final = 5

_ENQUEUE = text("""
    WITH inserted AS (
        INSERT INTO oban_jobs (state, queue, worker, args, max_attempts, priority, tags, meta, scheduled_at,
                               tenant_id, unique_key, idempotency_key)
        SELECT (CASE WHEN t.due <= statement_timestamp() THEN 'available' ELSE 'scheduled' END)::oban_job_state,
               q.name, :kind, coalesce(m.args, 'null'), :attempts_max, :priority, CAST(:tags AS text[]),
               CAST(:meta AS jsonb), t.due, :tenant, :unique_key, m.idempotency_key
          FROM job_queues q
         CROSS JOIN jsonb_to_recordset(CAST(:many AS jsonb)) AS m(args jsonb, idempotency_key text)
         CROSS JOIN (SELECT coalesce(CAST(:at AS timestamptz), statement_timestamp())
                            + make_interval(secs => :delay) AS due) t
         WHERE q.name = :queue
        ON CONFLICT DO NOTHING
        RETURNING id, state, scheduled_at
    )
    SELECT count(*) AS made, min(id) AS id,
           CASE WHEN bool_or(state = 'available') THEN pg_notify(:channel, :look)::text
                WHEN min(scheduled_at) < statement_timestamp() + interval '10 s' THEN pg_notify(:channel, :due)::text
            END AS told
      FROM inserted
""")
_HAS_KEY = text("""
    SELECT id FROM oban_jobs WHERE idempotency_key = :idempotency_key
    UNION ALL
    SELECT id FROM oban_jobs
     WHERE worker = :kind AND unique_key = :unique_key
       AND state IN ('available', 'scheduled', 'executing', 'retryable')
     LIMIT 1
""")
_QUEUE_NAMES = text("SELECT name FROM job_queues ORDER BY name")
_CANCEL = text("""
    WITH before AS (
        SELECT id, state FROM oban_jobs
         WHERE id = ANY(:ids) AND state IN ('available', 'scheduled', 'executing', 'retryable')
         ORDER BY id FOR UPDATE
    ), cancelled AS (
        UPDATE oban_jobs j SET state = 'cancelled', cancelled_at = clock_timestamp()
          FROM before b WHERE j.id = b.id
        RETURNING j.id, b.state
    )
    SELECT count(*), array_agg(id) FILTER (WHERE state = 'executing') FROM cancelled
""")
_RETRY = text("""
    WITH chosen AS (
        SELECT DISTINCT ON (worker, coalesce(unique_key, 'id ' || id)) id FROM oban_jobs j
         WHERE id = ANY(:ids) AND state NOT IN ('available', 'executing')
           AND NOT EXISTS (SELECT FROM oban_jobs o
                            WHERE o.worker = j.worker AND o.unique_key = j.unique_key AND o.id <> j.id
                              AND o.state IN ('available', 'scheduled', 'executing', 'retryable'))
         ORDER BY worker, coalesce(unique_key, 'id ' || id), id DESC
    ), retried AS (
        UPDATE oban_jobs
           SET state = 'available', scheduled_at = statement_timestamp(),
               max_attempts = greatest(max_attempts, attempt + 1),
               completed_at = NULL, discarded_at = NULL, cancelled_at = NULL, result = NULL
         WHERE id = ANY(ARRAY(SELECT id FROM chosen)) AND state NOT IN ('available', 'executing')
        RETURNING queue
    )
    SELECT count(*), array_agg(DISTINCT queue) FROM retried
""")
_PRUNE = text("""
    DELETE FROM oban_jobs WHERE id = ANY(ARRAY(
        SELECT id FROM oban_jobs
         WHERE state IN ('completed', 'discarded', 'cancelled')
           AND coalesce(completed_at, discarded_at, cancelled_at) < now() - make_interval(secs => :kept_seconds)
         ORDER BY coalesce(completed_at, discarded_at, cancelled_at) LIMIT :limit FOR UPDATE SKIP LOCKED))
""")
_NOTIFY = text("SELECT pg_notify(:channel, :signal)")


@dataclass(frozen=True)
class Options:
    """How a job is queued; what is None is as its kind says. `priority` is 0 (first) to 9.

    `unique_key`: of its kind at most one unfinished job has it. `idempotency_key`: at most one job ever has it (until
    it is pruned). `at` and `delay_seconds` add up.
    """

    queue: str | None = None
    priority: int = 0
    at: datetime | None = None
    delay_seconds: float = 0.0
    unique_key: str | None = None
    idempotency_key: str | None = None
    attempts_max: int | None = None
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    tenant: str = DEFAULT_TENANT

    def __post_init__(self) -> None:
        if not 0 <= self.priority <= PRIORITY_MAX:
            raise UsageError(f"priority {self.priority} is not between 0 (first) and {PRIORITY_MAX}")
        if self.attempts_max is not None and self.attempts_max < 1:
            raise UsageError(f"attempts_max {self.attempts_max} would never run the job; choose at least 1")
        if not 0 <= self.delay_seconds <= DELAY_SECONDS_MAX:
            raise UsageError(f"a delay of {self.delay_seconds} s is not between 0 and {DELAY_SECONDS_MAX:.0f}")
        if self.at is not None and self.at.tzinfo is None:
            raise UsageError(f"{self.at} has no time zone; add one")


DEFAULTS: Final = Options()


@dataclass(frozen=True)
class Enqueued:
    """The job that was made, or (not new) the one that has the key already."""

    id: int
    is_new: bool


async def enqueue(connection: AsyncConnection, kind: Kind[A, R], args: A, options: Options = DEFAULTS) -> Enqueued:
    """Queue a job; raises `UsageError` for a queue that there is not and for arguments that JSON cannot hold."""
    values = _values(kind, options) | {"many": f"[{_row(args, options.idempotency_key)}]"}
    for _ in range(_TRIES_MAX):
        made, id_, _told = (await connection.execute(_ENQUEUE, values)).one()
        if made:
            return Enqueued(id_, is_new=True)
        await _require_queue(connection, values["queue"])
        keys = {"kind": kind.name, "unique_key": options.unique_key, "idempotency_key": options.idempotency_key}
        if (id_ := (await connection.execute(_HAS_KEY, keys)).scalar()) is not None:
            return Enqueued(id_, is_new=False)
    raise TransientError(f"a job of kind {kind.name} with the same key comes and goes; try again")


async def enqueue_many(
    connection: AsyncConnection,
    kind: Kind[A, R],
    many: Sequence[A],
    options: Options = DEFAULTS,
    *,
    idempotency_keys: Sequence[str] | None = None,
) -> int:
    """Queue a job for each of `many` in one statement; returns how many were new."""
    if options.unique_key is not None or options.idempotency_key is not None:
        raise UsageError("many jobs cannot share one key; give idempotency_keys, one for each")
    keys = idempotency_keys if idempotency_keys is not None else [None] * len(many)
    if len(keys) != len(many):
        raise UsageError(f"{len(keys)} idempotency keys do not fit {len(many)} jobs; give one for each")
    values = _values(kind, options)
    rows = ",".join(_row(args, key) for args, key in zip(many, keys, strict=True))
    made: int = (await connection.execute(_ENQUEUE, values | {"many": f"[{rows}]"})).one()[0]
    if not made:
        await _require_queue(connection, values["queue"])
    return made


async def cancel(connection: AsyncConnection, ids: Iterable[int]) -> int:
    """Cancel unfinished jobs, also those that run; returns how many."""
    count, running = (await connection.execute(_CANCEL, {"ids": list(ids)})).one()
    if running:
        await notify(connection, signals.cancelled(running))
    return int(count)


async def retry(connection: AsyncConnection, ids: Iterable[int]) -> int:
    """Make jobs that wait or are finished available at once, for one attempt more at least; returns how many.

    A job whose unique key another unfinished job has is left as it is.
    """
    count, queues = (await connection.execute(_RETRY, {"ids": list(ids)})).one()
    if queues:
        await notify(connection, signals.look(*queues))
    return int(count)


async def prune(connection: AsyncConnection, *, kept_seconds: float, limit: int = 10_000) -> int:
    """Delete jobs that finished longer ago than that, oldest first, no more than `limit`; returns how many."""
    return (await connection.execute(_PRUNE, {"kept_seconds": kept_seconds, "limit": limit})).rowcount


async def notify(connection: AsyncConnection, signal: str) -> None:
    """Tell all workers, once the caller commits."""
    await connection.execute(_NOTIFY, {"channel": signals.CHANNEL, "signal": signal})


def _row(args: Any, idempotency_key: str | None) -> str:
    return f'{{"args":{document(args)},"idempotency_key":{document(idempotency_key)}}}'


def _values(kind: Kind[Any, Any], options: Options) -> dict[str, Any]:
    queue = options.queue or kind.queue
    return {
        "queue": queue,
        "kind": kind.name,
        "attempts_max": options.attempts_max or kind.attempts_max,
        "priority": options.priority,
        "tags": list(options.tags),
        "meta": document(options.meta | _trace()),
        "at": options.at,
        "delay": options.delay_seconds,
        "tenant": options.tenant,
        "unique_key": options.unique_key,
        "channel": signals.CHANNEL,
        "look": signals.look(queue),
        "due": signals.due(),
    }


async def _require_queue(connection: AsyncConnection, name: str) -> None:
    names = list((await connection.execute(_QUEUE_NAMES)).scalars())
    if name not in names:
        raise UsageError(f"no queue is called {name}; there are {', '.join(names)}")


def _trace() -> dict[str, str]:
    """What a job that is queued in a trace has in its `meta`, so that it goes on in it."""
    traceparent = tracing.current()
    return {tracing.META: traceparent} if traceparent else {}
