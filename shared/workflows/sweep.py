"""Tasks whose job ended without them: a job may be discarded or cancelled by others than the code that performs it.

A worker that dies cannot write what becomes of its task, and whoever rescues its jobs knows nothing of workflows. So
every few seconds each unfinished task of each unfinished run is compared with its job; a run with nothing to do costs
an index lookup, and without unfinished runs there is nothing to look at.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.errors import TransientError
from shared.service import Service
from shared.workflows.ending import Ending, end

log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 5.0

_LOST = text("""
    SELECT DISTINCT ON (r.id) r.id, t.step_slug, t.task_index, j.id, j.state::text,
           j.errors[cardinality(j.errors)] ->> 'error'
      FROM workflow_runs r
      JOIN workflow_step_tasks t ON t.run_id = r.id AND t.status IN ('queued', 'started')
      LEFT JOIN oban_jobs j ON j.idempotency_key = t.idempotency_key
     WHERE r.status = 'started' AND (j.id IS NULL OR j.state IN ('completed', 'discarded', 'cancelled'))
     ORDER BY r.id, t.step_slug, t.task_index
""")
_ABANDONED = text("""
    WITH abandoned AS MATERIALIZED (
        SELECT t.idempotency_key
          FROM workflow_runs r
          JOIN workflow_step_tasks t ON t.run_id = r.id AND t.status = 'started'
          JOIN oban_jobs j ON j.idempotency_key = t.idempotency_key
         WHERE r.status = 'started' AND j.state IN ('available', 'scheduled', 'retryable')
           AND t.claimed_at < statement_timestamp()
           FOR NO KEY UPDATE OF t SKIP LOCKED)
    UPDATE workflow_step_tasks t SET status = 'queued', claimed_by = NULL, claimed_at = NULL
      FROM abandoned a WHERE t.idempotency_key = a.idempotency_key
""")  # a task begun again while this looks has a later claimed_at than its job, as it is seen here, can explain


class Sweep(Service):
    """Ends runs that can never end by themselves; any number of processes may do so."""

    name = "workflow sweep"

    def __init__(self, engine: AsyncEngine, *, every_seconds: float = EVERY_SECONDS) -> None:
        super().__init__()
        self._engine = engine
        self._every = every_seconds

    async def run(self) -> None:
        """Look every few seconds; a database that is away is looked at again."""
        while True:
            try:
                await sweep(self._engine)
            except TransientError as error:
                log.warning("workflows not looked at", error=str(error))
            await asyncio.sleep(self._every)


async def sweep(engine: AsyncEngine) -> int:
    """Queue again what died with its worker, and end the runs of jobs that will never run; returns how many ended."""
    async with transaction(engine) as connection:
        await connection.execute(_ABANDONED)
        lost = (await connection.execute(_LOST)).all()
    ended = 0
    for run, step, index, job, state, error in lost:
        why = f"job {job} was {state}" if job is not None else "its job is gone"
        said = f"step {step}, task {index}: {why}" + (f": {error}" if error else "")
        async with transaction(engine) as connection:  # one at a time: each waits for those at work on its run
            status: Ending = "cancelled" if state == "cancelled" else "failed"
            ended += await end(connection, run, status, said, culprit=(step, index))
    return ended
