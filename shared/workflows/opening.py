"""Steps whose turn it is: their tasks and the jobs of these are made, and a step without any is complete at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import PermanentError
from shared.jobs.queue import Options, enqueue_many
from shared.workflows.definition import INPUT, Step, Workflow
from shared.workflows.task import TaskKey

TASKS_MAX: Final = 10_000
"""Of one step of a run."""

FREE: Final = """
    run AS (
        UPDATE workflow_runs r SET remaining_steps = r.remaining_steps - 1
          FROM done WHERE r.id = :run RETURNING r.remaining_steps),
    freed AS (
        UPDATE workflow_step_states s SET remaining_deps = s.remaining_deps - 1
          FROM run WHERE s.run_id = :run AND s.step_slug = ANY(CAST(:dependents AS text[]))
        RETURNING s.step_slug, s.remaining_deps)
    SELECT (SELECT remaining_steps FROM run) AS remaining_steps,
           (SELECT array_agg(step_slug) FROM freed WHERE remaining_deps = 0) AS freed
"""
"""Take one complete step off its run and its dependents; `done` has a row when there is one. The run's row is locked
before those of the dependents, so that two steps that end at the same time cannot block each other."""

_PASS = text(f"WITH done AS (SELECT 1), {FREE}")
_OPEN = """
    WITH elements AS ({elements}),
    added AS (
        INSERT INTO workflow_step_tasks (run_id, step_slug, task_index, tenant_id, input, max_attempts, idempotency_key)
        SELECT :run, :step, index, :tenant, input, :attempts_max,
               concat_ws(':', CAST(:run AS uuid), CAST(:step AS text), index)
          FROM elements
        RETURNING 1),
    total AS (SELECT count(*) AS tasks FROM added)
    UPDATE workflow_step_states s
       SET status = CASE WHEN tasks = 0 THEN 'completed' ELSE 'started' END, started_at = clock_timestamp(),
           completed_at = CASE WHEN tasks = 0 THEN clock_timestamp() END, initial_tasks = tasks, remaining_tasks = tasks
      FROM total WHERE s.run_id = :run AND s.step_slug = :step
    RETURNING s.initial_tasks
"""
_MAPPED = """
    SELECT element AS input, position - 1 AS index
      FROM jsonb_array_elements(({whole}) #> CAST(:path AS text[])) WITH ORDINALITY AS e (element, position)
"""
_OF_INPUT = "SELECT jsonb_build_array(input) FROM workflow_runs WHERE id = :run"
_OF_STEP = """
    SELECT coalesce(jsonb_agg(output ORDER BY task_index), '[]')
      FROM workflow_step_tasks WHERE run_id = :run AND step_slug = :source
"""
_OPEN_SINGLE = text(_OPEN.format(elements="SELECT CAST(NULL AS jsonb) AS input, 0 AS index"))
_OPEN_OVER_INPUT = text(_OPEN.format(elements=_MAPPED.format(whole=_OF_INPUT)))
_OPEN_OVER_STEP = text(_OPEN.format(elements=_MAPPED.format(whole=_OF_STEP)))
_COMPLETE = text("""
    WITH outputs AS (
        SELECT s.step_slug, CASE WHEN s.step_slug = ANY(CAST(:mapped AS text[])) THEN coalesce(all_of, '[]')
                                 ELSE all_of -> 0 END AS output
          FROM workflow_step_states s CROSS JOIN LATERAL (
               SELECT jsonb_agg(t.output ORDER BY t.task_index) AS all_of FROM workflow_step_tasks t
                WHERE t.run_id = s.run_id AND t.step_slug = s.step_slug) t
         WHERE s.run_id = :run AND s.step_slug = ANY(CAST(:sinks AS text[])))
    UPDATE workflow_runs
       SET status = 'completed', completed_at = clock_timestamp(),
           output = CASE WHEN cardinality(CAST(:sinks AS text[])) = 1 THEN (SELECT output FROM outputs)
                         ELSE (SELECT jsonb_object_agg(step_slug, output) FROM outputs) END
     WHERE id = :run
""")


class Freed(NamedTuple):
    """What the end of a step led to."""

    remaining_steps: int | None
    """Of the run; None while the step has tasks left."""
    freed: list[str] | None
    """The steps that waited for nothing else."""


async def follow(connection: AsyncConnection, workflow: Workflow[Any], run: UUID, tenant: str, ended: Freed) -> None:
    """Open the steps whose turn it is, and complete the run when no step is left."""
    ready, remaining = deque(ended.freed or ()), ended.remaining_steps
    while ready:
        step = _known(workflow, ready.popleft())
        if not await _open(connection, step, run, tenant):
            passed = await connection.execute(_PASS, {"run": run, "dependents": workflow.dependents(step.name)})
            remaining, freed = passed.one()
            ready.extend(freed or ())
    if remaining == 0:
        sinks = workflow.sinks
        mapped = [name for name in sinks if workflow.steps[name].over]
        await connection.execute(_COMPLETE, {"run": run, "sinks": sinks, "mapped": mapped})


async def _open(connection: AsyncConnection, step: Step, run: UUID, tenant: str) -> int:
    """Make the tasks of a step and their jobs; returns how many."""
    values = {"run": run, "step": step.name, "tenant": tenant, "attempts_max": step.kind.attempts_max}
    statement = _OPEN_SINGLE
    if step.over is not None:
        statement = _OPEN_OVER_INPUT if step.over.source == INPUT else _OPEN_OVER_STEP
        values |= {"source": step.over.source, "path": list(step.over.path)}
    count: int = (await connection.execute(statement, values)).scalar_one()
    if count > TASKS_MAX:
        raise PermanentError(f"step {step.name} maps over {count} elements, {TASKS_MAX} at most; map over batches")
    if count:
        options = Options(tenant=tenant, priority=step.priority)
        keys = task_keys(run, step.name, range(count))
        await enqueue_many(
            connection, step.kind, [TaskKey(run, index) for index in range(count)], options, idempotency_keys=keys
        )
    return count


def task_keys(run: UUID, step: str, indices: Iterable[int]) -> list[str]:
    """The idempotency keys of tasks, which are those of their jobs, too."""
    return [f"{run}:{step}:{index}" for index in indices]


def _known(workflow: Workflow[Any], name: str) -> Step:
    try:
        return workflow.steps[name]
    except KeyError:
        raise PermanentError(
            f"workflow {workflow.slug} has no step {name} here; another version started the run"
        ) from None
