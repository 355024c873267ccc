"""Finding workers that stopped answering, and giving back what nobody runs any more.

Liveness decides, never the age of a job: a job of a worker that beats is never given to another, however long it runs.
The statements are psycopg's, so that the thread that beats and the registration share them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from psycopg import Connection

from shared.jobs import signals

RESCUED_MAX: Final = 1_000
"""Jobs given back in one transaction; the next beat goes on."""

_ONE_AT_A_TIME: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('flocklore worker rescue', 0))"
_MARK_DEAD: Final = """
    WITH dead AS (
        UPDATE workers SET status = 'offline', deprecated_at = clock_timestamp(), load = 0
         WHERE boot_id = ANY(ARRAY(
               SELECT boot_id FROM workers
                WHERE status <> 'offline' AND last_heartbeat_at < now() - make_interval(secs => %(dead_seconds)s)
                FOR UPDATE SKIP LOCKED))
        RETURNING name, boot_id, hostname, pid, role, started_at
    ), told AS (
        INSERT INTO worker_history (name, boot_id, hostname, pid, role, started_at, ended)
        SELECT name, boot_id, hostname, pid, role, started_at, 'died' FROM dead
        ON CONFLICT (boot_id) DO NOTHING
    )
    SELECT name FROM dead
"""
# Each row is fenced by what was read of it: between reading and locking a worker that registered since may have it.
RETURN_JOBS: Final = f"""
    WITH orphaned AS MATERIALIZED (
        SELECT id, attempt, attempted_by FROM oban_jobs j
         WHERE state = 'executing'
           AND NOT EXISTS (SELECT FROM workers w
                            WHERE w.boot_id::text = j.attempted_by[2] AND w.status <> 'offline')
         ORDER BY id LIMIT {RESCUED_MAX}
    ), locked AS MATERIALIZED (
        SELECT j.id FROM orphaned o JOIN oban_jobs j
            ON j.id = o.id AND j.attempt = o.attempt AND j.attempted_by IS NOT DISTINCT FROM o.attempted_by
           AND j.state = 'executing'
           FOR UPDATE OF j SKIP LOCKED
    ), returned AS (
        UPDATE oban_jobs
           SET state = CASE WHEN attempt < max_attempts THEN 'available' ELSE 'discarded' END::oban_job_state,
               discarded_at = CASE WHEN attempt >= max_attempts THEN clock_timestamp() END,
               errors = array_append(errors, jsonb_build_object(
                   'attempt', attempt, 'at', clock_timestamp(), 'type', 'WorkerDied',
                   'error', 'worker ' || coalesce(attempted_by[1], '?') || ' stopped answering'))
         WHERE id = ANY(ARRAY(SELECT id FROM locked))
        RETURNING queue, state
    )
    SELECT count(*) AS jobs, coalesce(array_agg(DISTINCT queue) FILTER (WHERE state = 'available'), '{{}}') AS queues
      FROM returned
"""  # noqa: S608 - constants
NOTIFY: Final = "SELECT pg_notify(%(channel)s, %(signal)s)"


def rescue(connection: Connection[Any], *, dead_seconds: float | None) -> tuple[list[str], int]:
    """Mark as offline who has not beaten for so long (None: judge nobody), and return the jobs of all who are.

    One transaction, by one worker at a time. Returns the names of the dead and the number of jobs returned.
    """
    with connection.transaction():
        if not _first(connection, _ONE_AT_A_TIME)[0]:
            return [], 0
        dead: list[str] = []
        if dead_seconds is not None:
            rows = connection.execute(_MARK_DEAD, {"dead_seconds": dead_seconds}).fetchall()
            dead = [name for (name,) in rows]
        returned, queues = _first(connection, RETURN_JOBS)
        if queues:
            connection.execute(NOTIFY, told(queues))
    return dead, returned


def told(queues: Sequence[str]) -> Mapping[str, str]:
    """Values for `NOTIFY`: there are jobs again."""
    return {"channel": signals.CHANNEL, "signal": signals.look(*queues)}


def _first(connection: Connection[Any], statement: str) -> Any:
    row = connection.execute(statement).fetchone()
    if row is None:
        raise LookupError("a statement that always returns a row returned none")
    return row
