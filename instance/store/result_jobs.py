"""Jobs of the queue that are finished, as `job_results`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.store.results import ROWS_MAX, JobResult, Status, Usage, record_many
from shared.errors import UsageError
from shared.jobs import listing
from shared.jobs.listing import JobRow

JOBS_SOURCE: Final = "jobs"
"""The source of results that are jobs of the queue."""

_UNRECORDED = text("""
    SELECT j.id FROM oban_jobs j
     WHERE j.state IN ('completed', 'discarded', 'cancelled') AND j.attempted_at IS NOT NULL
       AND NOT EXISTS (SELECT FROM job_results r
                        WHERE (r.source, r.external_id) = ('jobs', j.id || '.' || j.attempt))
       AND NOT EXISTS (SELECT FROM job_results_pruned p
                        WHERE (p.source, p.external_id) = ('jobs', j.id || '.' || j.attempt))
     ORDER BY j.id LIMIT :limit
""")


async def record_jobs(connection: AsyncConnection, limit: int = ROWS_MAX) -> int:
    """Record the finished jobs of the queue that are not recorded yet; returns how many."""
    ids = list((await connection.execute(_UNRECORDED, {"limit": limit})).scalars())
    jobs = await listing.get_many(connection, ids)
    return await record_many(connection, [from_job(job) for job in jobs if job.finished_at])


def from_job(
    job: JobRow,
    *,
    usage: Usage | None = None,
    context: Mapping[str, str] = MappingProxyType({}),
    completed_as: Status = "success",
) -> JobResult:
    """Make a finished job of the queue a result; `completed_as` is `unlabelled` where only a verifier can tell.

    A job that was tried again after it had finished gives another result. `UsageError` while it is not finished.
    """
    if job.finished_at is None:
        raise UsageError(f"job {job.id} is {job.state}; it has a result once it is finished")
    last: Mapping[str, str] = job.errors[-1] if job.errors and job.state == "discarded" else {}
    began = job.attempted_at
    return JobResult(
        job_id=str(job.id),
        job_type=job.kind,
        instance_id=job.worker,
        status=_status(job.state, last.get("type", ""), completed_as),
        error=last.get("error", ""),
        started_at=began,
        completed_at=job.finished_at,
        duration_ms=max(0, round((job.finished_at - began).total_seconds() * 1000)) if began is not None else None,
        context=dict(context),
        source=JOBS_SOURCE,
        external_id=f"{job.id}.{job.attempt}",
        **(structs.asdict(usage) if usage is not None else {}),
    )


def _status(state: str, error: str, completed_as: Status) -> Status:
    if state == "completed":
        return completed_as
    if state == "cancelled":
        return "cancelled"
    return "timeout" if error == TimeoutError.__name__ else "failed"
