"""Transitions of one task: begun by the worker that claimed its job, handed back, completed.

The row of a step is shared by all its tasks, so it is locked late and for a short time: of many tasks all but the last
are completed by a statement that is a transaction of its own. Locks are taken in the order gate of the run (shared),
step, run, dependents; the rows of a task and its job are wanted by nobody who holds one of these. An end of the run
takes the gate alone before anything else. So nobody waits in a circle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.jobs.running import Running
from shared.workflows.definition import Step, Workflow
from shared.workflows.ending import GATE
from shared.workflows.opening import FREE, Freed, follow
from shared.workflows.task import TaskKey

# A crash of the server may undo the last of it: the end of a task with that of its job, so it is done again.
QUICK: Final = "set_config('synchronous_commit', 'off', true)"
_KEY: Final = "t.run_id = :run AND t.step_slug = :step AND t.task_index = :index"
_STEP: Final = "s.run_id = :run AND s.step_slug = :step"
_GATE: Final = GATE.format(shared="_shared")
_BEGIN = text(f"""
    WITH quick AS MATERIALIZED (SELECT {QUICK})
    UPDATE workflow_step_tasks t
       SET status = 'started', attempts_count = :attempt, claimed_by = :worker, claimed_at = clock_timestamp()
      FROM quick, workflow_runs r, oban_jobs j
     WHERE {_KEY} AND t.status IN ('queued', 'started') AND r.id = t.run_id AND r.status = 'started'
       AND j.id = :job AND j.state = 'executing' AND j.attempt = :attempt AND j.attempted_by[1] = :worker
    RETURNING j.attempted_by[2] AS boot, r.input::text AS input, t.input::text AS element,
        (SELECT jsonb_object_agg(step_slug, outputs)::text
           FROM (SELECT step_slug, jsonb_agg(output ORDER BY task_index) AS outputs FROM workflow_step_tasks
                  WHERE run_id = :run AND step_slug = ANY(CAST(:needs AS text[])) GROUP BY step_slug) o) AS outputs
""")  # noqa: S608 - constants
_HAND_BACK = text(f"""
    UPDATE workflow_step_tasks t
       SET status = 'queued', claimed_by = NULL, claimed_at = NULL, error_message = coalesce(:error, t.error_message)
     WHERE {_KEY} AND t.status = 'started' AND t.attempts_count = :attempt AND t.claimed_by = :worker
""")  # noqa: S608 - constants
_TASK: Final = f"""
    UPDATE workflow_step_tasks t
       SET status = 'completed', output = CAST(:output AS jsonb), attempts_count = :attempt, error_message = NULL
      FROM {{after}} WHERE {_KEY} AND t.status IN ('queued', 'started')
    RETURNING t.run_id
"""  # noqa: S608 - constants
_COMPLETE = text(f"""
    WITH gate AS MATERIALIZED (SELECT {_GATE}, CASE WHEN NOT CAST(:durable AS boolean) THEN {QUICK} END),
    task AS ({_TASK.format(after="gate")}),
    step AS (
        UPDATE workflow_step_states s
           SET remaining_tasks = s.remaining_tasks - 1, attempts_count = s.attempts_count + :attempt,
               status = CASE s.remaining_tasks WHEN 1 THEN 'completed' ELSE s.status END,
               completed_at = CASE s.remaining_tasks WHEN 1 THEN clock_timestamp() END
          FROM task WHERE {_STEP}
        RETURNING s.remaining_tasks),
    done AS (SELECT 1 FROM step WHERE remaining_tasks = 0),
    {FREE}, EXISTS (SELECT FROM task) AS completed
""")  # noqa: S608 - constants
_COMPLETE_ONE_OF_MANY = text(f"""
    WITH gate AS MATERIALIZED (SELECT {_GATE}, {QUICK}),
    step AS MATERIALIZED (
        SELECT 1 FROM gate, workflow_step_states s
         WHERE {_STEP} AND s.status = 'started' AND s.remaining_tasks > 1 FOR NO KEY UPDATE OF s),
    job AS (
        UPDATE oban_jobs j SET state = 'completed', completed_at = clock_timestamp()
          FROM step
         WHERE j.id = :job AND j.state = 'executing' AND j.attempt = :attempt AND j.attempted_by[2] = :boot
        RETURNING j.id),
    task AS ({_TASK.format(after="job")})
    UPDATE workflow_step_states s
       SET remaining_tasks = s.remaining_tasks - 1, attempts_count = s.attempts_count + :attempt
      FROM task WHERE {_STEP}
""")  # noqa: S608 - constants


@dataclass(frozen=True)
class Attempt:
    """An attempt at a task: the row, and the job it was claimed with."""

    run: UUID
    step: Step
    index: int
    job: int
    number: int
    worker: str
    tenant: str

    @classmethod
    def of(cls, step: Step, running: Running[TaskKey]) -> Attempt:
        """The attempt a worker was given."""
        run, index = running.args.run, running.args.index
        return cls(run, step, index, running.id, running.attempt, running.worker, running.tenant)

    @property
    def values(self) -> dict[str, Any]:
        """What the statements name."""
        return {
            "run": self.run,
            "step": self.step.name,
            "index": self.index,
            "attempt": self.number,
            "worker": self.worker,
        }


class Begun(NamedTuple):
    """What a task works on, as JSON."""

    boot: str
    """Of the worker that claimed the job."""
    input: str
    """Of the run."""
    element: str | None
    """Of the list the step maps over."""
    outputs: str | None
    """An object: for each step that is needed, the outputs of its tasks in order."""


async def begin(connection: AsyncConnection, attempt: Attempt) -> Begun | None:
    """Mark the task started by this attempt; None when there is nothing to do: the run ended, or the job is lost."""
    values = attempt.values | {"job": attempt.job, "needs": list(attempt.step.needs)}
    row = (await connection.execute(_BEGIN, values)).one_or_none()
    return None if row is None else Begun(*row)


async def hand_back(connection: AsyncConnection, attempt: Attempt, error: str | None) -> None:
    """Mark the task queued again, for another attempt."""
    await connection.execute(_HAND_BACK, attempt.values | {"error": error})


async def complete(
    connection: AsyncConnection, workflow: Workflow[Any], attempt: Attempt, output: str, *, durable: bool
) -> bool:
    """Complete the task and whatever waited for nothing else; False, and nothing done, when the run has ended."""
    values = attempt.values | {
        "output": output,
        "dependents": workflow.dependents(attempt.step.name),
        "durable": durable,
    }
    remaining, freed, completed = (await connection.execute(_COMPLETE, values)).one()
    await follow(connection, workflow, attempt.run, attempt.tenant, Freed(remaining, freed))
    return bool(completed)


async def complete_one_of_many(connection: AsyncConnection, attempt: Attempt, boot: str, output: str) -> bool:
    """Complete a task with its job, in a statement that is a transaction, if it is not the last one of its step.

    False, and nothing done, when it is the last, the run has ended or the job is lost.
    """
    values = attempt.values | {"job": attempt.job, "boot": boot, "output": output}
    return (await connection.execute(_COMPLETE_ONE_OF_MANY, values)).rowcount == 1
