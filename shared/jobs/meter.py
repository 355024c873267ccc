"""What is counted of jobs, for whoever reads the metrics of this process."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.jobs import listing
from shared.jobs.queues import queues
from shared.metrics import Metrics

_WAITING: Final = ("available", "scheduled", "retryable")


class JobMeter:
    """Counts the jobs of a worker."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def claimed(self, kind: str, waited_seconds: float) -> None:
        """A job was claimed so long after it was due."""
        self._metrics.job_wait_seconds.labels(kind).observe(max(0.0, waited_seconds))

    def ended(self, kind: str, state: str, seconds: float) -> None:
        """An attempt at a job took so long; `state` is what became of the job, or `lost`."""
        self._metrics.job_executions.labels(kind, state).inc()
        self._metrics.job_seconds.labels(kind).observe(seconds)


async def measure_depth(connection: AsyncConnection, metrics: Metrics, region: str) -> None:
    """Count what waits in each queue."""
    counted = await listing.counts(connection)
    for queue in await queues(connection):
        states = counted.get(queue.name, {})
        metrics.queue_depth.labels(region, queue.name).set(sum(states.get(state, 0) for state in _WAITING))
