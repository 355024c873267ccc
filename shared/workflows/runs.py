"""Runs of workflows: start, look at, cancel, prune. Functions of a connection: the caller's transaction decides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, TypeVar, get_args
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import transaction
from shared.errors import NotFoundError, UsageError
from shared.jobs.jsonb import document
from shared.workflows.definition import Workflow
from shared.workflows.ending import end
from shared.workflows.opening import Freed, follow

I = TypeVar("I")  # noqa: E741 - the type of the input
Status = Literal["started", "completed", "failed", "cancelled"]
LIST_MAX: Final = 100
PRUNE_MAX: Final = 1_000
ENDED_SECONDS_MIN: Final = 0.02
ENDED_SECONDS_MAX: Final = 0.5
"""How often it is looked whether a run has ended: rarely for long ones."""

_START = text("""
    INSERT INTO workflow_runs (id, tenant_id, workflow_slug, input, remaining_steps, idempotency_key, unique_key)
    VALUES (:run, :tenant, :slug, CAST(:input AS jsonb), :steps, :key, :unique_key)
    ON CONFLICT DO NOTHING RETURNING id
""")
_STEPS = text("""
    INSERT INTO workflow_step_states (run_id, tenant_id, step_slug, remaining_deps)
    SELECT :run, :tenant, step, deps FROM unnest(CAST(:names AS text[]), CAST(:deps AS integer[])) AS s (step, deps)
""")
_SAME = text("""
    SELECT id FROM workflow_runs
     WHERE tenant_id = :tenant AND workflow_slug = :slug
       AND (idempotency_key = :key OR (unique_key = :unique_key AND status = 'started'))
     LIMIT 1
""")
_RUNS = """
    SELECT id, tenant_id, workflow_slug, status, input, output, error_message, idempotency_key, started_at,
           coalesce(completed_at, failed_at)
      FROM workflow_runs
"""
_GET = text(_RUNS + " WHERE id = :run")
_LIST = text(f"""
    {_RUNS}
     WHERE (CAST(:slug AS text) IS NULL OR workflow_slug = :slug)
       AND (CAST(:tenant AS text) IS NULL OR tenant_id = :tenant)
       AND (CAST(:status AS text) IS NULL OR status = :status)
     ORDER BY started_at DESC, id LIMIT :limit
""")
_STEPS_OF = text("""
    SELECT s.step_slug, s.status, count(*) FILTER (WHERE t.status = 'queued'),
           count(*) FILTER (WHERE t.status = 'started'), count(*) FILTER (WHERE t.status = 'completed'),
           count(*) FILTER (WHERE t.status = 'failed'), count(*) FILTER (WHERE t.status = 'cancelled'),
           coalesce(sum(t.attempts_count), 0), s.started_at, s.completed_at
      FROM workflow_step_states s LEFT JOIN workflow_step_tasks t USING (run_id, step_slug)
     WHERE s.run_id = :run
     GROUP BY s.run_id, s.step_slug ORDER BY s.started_at NULLS LAST, s.step_slug
""")
_PRUNE = text("""
    DELETE FROM workflow_runs WHERE id IN (
        SELECT id FROM workflow_runs
         WHERE coalesce(completed_at, failed_at) < clock_timestamp() - make_interval(secs => :seconds) LIMIT :limit)
""")


@dataclass(frozen=True)
class Started:
    """The run that was started, or an earlier one that has the same key."""

    run_id: UUID
    is_new: bool


@dataclass(frozen=True)
class StepRow:
    """A step of a run, with how many of its tasks are in which state."""

    step: str
    status: str
    queued: int
    started: int
    completed: int
    failed: int
    cancelled: int
    attempts: int
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True)
class Run:
    """One run of a workflow."""

    id: UUID
    tenant: str
    workflow: str
    status: Status
    input: Any
    output: Any
    """What the last step returned; of several last steps, an object by step."""
    error: str | None
    idempotency_key: str | None
    started_at: datetime
    ended_at: datetime | None
    steps: tuple[StepRow, ...] = ()
    """In the order they started; empty in lists."""


async def start(
    connection: AsyncConnection,
    workflow: Workflow[I],
    input: I,
    *,
    idempotency_key: str | None = None,
    unique_key: str | None = None,
    tenant: str = "default",
) -> Started:
    """Start a run with the caller's transaction.

    The same `idempotency_key` of a workflow gives the same run, also a failed one; the same `unique_key` gives the run
    under way that has it.
    """
    steps = workflow.steps.values()
    run = uuid4()
    values = {
        "run": run,
        "tenant": tenant,
        "slug": workflow.slug,
        "input": document(input),
        "steps": len(steps),
        "key": idempotency_key,
        "unique_key": unique_key,
    }
    while (await connection.execute(_START, values)).scalar() is None:
        same: UUID | None = (await connection.execute(_SAME, values)).scalar()
        if same is not None:  # else it has ended just now
            return Started(same, is_new=False)
    deps = [len(step.waits_for) for step in steps]
    await connection.execute(_STEPS, {"run": run, "tenant": tenant, "names": list(workflow.steps), "deps": deps})
    roots = [step.name for step in steps if not step.waits_for]
    await follow(connection, workflow, run, tenant, Freed(len(steps), roots))
    return Started(run, is_new=True)


async def get(connection: AsyncConnection, run_id: UUID) -> Run | None:
    """One run with its steps; None when there is none."""
    row = (await connection.execute(_GET, {"run": run_id})).one_or_none()
    if row is None:
        return None
    steps = await connection.execute(_STEPS_OF, {"run": run_id})
    return replace(Run(*row), steps=tuple(StepRow(*step) for step in steps))


async def ended(engine: AsyncEngine, run_id: UUID) -> Run:
    """Wait for the end of a run; raises `NotFoundError` when there is none."""
    pause = ENDED_SECONDS_MIN
    while True:
        async with transaction(engine) as connection:
            run = await get(connection, run_id)
        if run is None:
            raise NotFoundError(f"there is no run {run_id}; list them to see which there are")
        if run.status != "started":
            return run
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, ENDED_SECONDS_MAX)


async def list_runs(
    connection: AsyncConnection,
    *,
    workflow: str | None = None,
    status: Status | None = None,
    tenant: str | None = None,
    limit: int = LIST_MAX,
) -> Sequence[Run]:
    """Runs without their steps, the newest first."""
    if status is not None and status not in get_args(Status):
        raise UsageError(f"a run is never {status}; it is {', '.join(get_args(Status))}")
    values = {"slug": workflow, "status": status, "tenant": tenant, "limit": limit}
    return [Run(*row) for row in await connection.execute(_LIST, values)]


async def cancel(connection: AsyncConnection, run_id: UUID, reason: str = "cancelled on request") -> bool:
    """Cancel a run with its tasks, also those at work; False when it had ended; `NotFoundError` when there is none."""
    if await end(connection, run_id, "cancelled", reason):
        return True
    if await get(connection, run_id) is None:
        raise NotFoundError(f"there is no run {run_id}; list them to see which there are")
    return False


async def prune(connection: AsyncConnection, kept_seconds: float, limit: int = PRUNE_MAX) -> int:
    """Delete runs that ended longer ago than that; returns how many."""
    return (await connection.execute(_PRUNE, {"seconds": kept_seconds, "limit": limit})).rowcount
