"""What is counted of jobs, for whoever reads the metrics of this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import transaction
from shared.jobs.running import Bound
from shared.jobs.workers import list_workers
from shared.measuring import Measure
from shared.metrics import Metrics

_DEPTHS = text("""
    SELECT q.name, coalesce(sum(waiting.jobs), 0)
      FROM job_queues q LEFT JOIN (
           SELECT queue, count(*) AS jobs FROM oban_jobs WHERE state = 'available' GROUP BY queue
           UNION ALL
           SELECT queue, count(*) FROM oban_jobs WHERE state IN ('scheduled', 'retryable') GROUP BY queue
      ) waiting ON waiting.queue = q.name
     GROUP BY q.name
""")  # in two parts, each of which has an index
_RUNS = text("""
    SELECT count(*) FILTER (WHERE status = 'started'), count(*) FILTER (WHERE status = 'completed'),
           count(*) FILTER (WHERE status = 'failed')
      FROM workflow_runs
""")
WORKER_STATES: Final = ("online", "paused", "draining", "suspect", "inactive", "offline")


class JobMeter:
    """Counts the jobs of a worker, which is called `process`.

    What it may ever do is there from the start, as nothing done: what grows from nothing can be seen to grow.
    """

    def __init__(self, metrics: Metrics, process: str, handlers: Iterable[Bound] = ()) -> None:
        self._metrics = metrics
        self._process = process
        for kind in (bound.kind.name for bound in handlers):
            metrics.job_executions.labels(kind, "completed")
            if workflow := _workflow(kind):
                metrics.workflow_executions.labels(process, workflow, "completed")

    def claimed(self, kind: str, waited_seconds: float) -> None:
        """A job was claimed so long after it was due."""
        self._metrics.job_wait_seconds.labels(kind).observe(max(0.0, waited_seconds))

    def ended(self, kind: str, state: str, seconds: float) -> None:
        """An attempt at a job took so long; `state` is what became of the job, or `lost`."""
        self._metrics.job_executions.labels(kind, state).inc()
        self._metrics.job_seconds.labels(kind).observe(seconds)
        if workflow := _workflow(kind):
            self._metrics.workflow_executions.labels(self._process, workflow, state).inc()


def queue_measure(engine: AsyncEngine, metrics: Metrics, region: str) -> Measure:
    """What waits in each queue of a database, how its workflows stand, and who works on it."""

    async def take() -> None:
        async with transaction(engine) as connection:
            depths = await _depths(connection)
            active, completed, failed = (await connection.execute(_RUNS)).one()
            states = Counter(worker.status for worker in await list_workers(connection))
        metrics.queue_depth.replace({(region, queue): jobs for queue, jobs in depths.items()})
        metrics.workers.replace({(state,): states[state] for state in WORKER_STATES})
        metrics.runs_active.set(active)
        metrics.runs_completed.set(completed)
        metrics.runs_failed.set(failed)

    readings = [metrics.queue_depth, metrics.workers, metrics.runs_active, metrics.runs_completed, metrics.runs_failed]
    return Measure("queues", take, readings)


def _workflow(kind: str) -> str:
    """The workflow whose step this kind of job is, for it is called after both; empty when it is none."""
    workflow, dot, _ = kind.partition(".")
    return workflow if dot else ""


async def _depths(connection: AsyncConnection) -> dict[str, int]:
    return {queue: int(jobs) for queue, jobs in await connection.execute(_DEPTHS)}
