"""The early end of a run: failed or cancelled, with all that has not been done."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.jobs import queue

Ending = Literal["failed", "cancelled"]

# Whoever completes a task holds the same lock shared: an end waits for them, and they see it.
GATE = "pg_advisory_xact_lock{shared}(hashtextextended('workflow run ' || CAST(:run AS text), 0))"

_GATE = text("SELECT " + GATE.format(shared=""))
_RUN = text("""
    UPDATE workflow_runs
       SET status = :status, error_message = :error,
           failed_at = CASE WHEN :status = 'failed' THEN clock_timestamp() END,
           completed_at = CASE WHEN :status = 'cancelled' THEN clock_timestamp() END
     WHERE id = :run AND status = 'started'
""")
_TASKS = text("""
    UPDATE workflow_step_tasks
       SET status = CASE WHEN step_slug = :step AND task_index = :index THEN :status ELSE 'cancelled' END,
           error_message = CASE WHEN step_slug = :step AND task_index = :index THEN :error ELSE error_message END
     WHERE run_id = :run AND status IN ('queued', 'started')
    RETURNING idempotency_key
""")
_STEPS = text("""
    UPDATE workflow_step_states s
       SET status = CASE WHEN s.step_slug = :step THEN :status ELSE 'cancelled' END,
           attempts_count = (SELECT coalesce(sum(t.attempts_count), 0) FROM workflow_step_tasks t
                              WHERE t.run_id = s.run_id AND t.step_slug = s.step_slug)
     WHERE s.run_id = :run AND s.status IN ('created', 'started')
""")
_JOBS = text("""
    SELECT id FROM oban_jobs
     WHERE idempotency_key = ANY(CAST(:keys AS text[])) AND id IS DISTINCT FROM :except_job
       AND state IN ('available', 'scheduled', 'executing', 'retryable')
       FOR UPDATE SKIP LOCKED
""")  # a job that is locked is being claimed or finished; its worker will find that the run has ended


async def end(
    connection: AsyncConnection,
    run: UUID,
    status: Ending,
    error: str,
    *,
    culprit: tuple[str, int] | None = None,
    except_job: int | None = None,
) -> bool:
    """End a run that has not ended, with its steps, tasks and jobs; returns whether it did.

    `culprit` is the step and index of the task that is the reason, `except_job` a job that ends by itself.
    """
    await connection.execute(_GATE, {"run": run})
    values = {"run": run, "status": status, "error": error}
    if (await connection.execute(_RUN, values)).rowcount == 0:
        return False
    step, index = culprit or (None, None)
    keys = (await connection.execute(_TASKS, values | {"step": step, "index": index})).scalars().all()
    await connection.execute(_STEPS, {"run": run, "status": status, "step": step})
    jobs = await connection.execute(_JOBS, {"keys": keys, "except_job": except_job})
    await queue.cancel(connection, jobs.scalars().all())
    return True
