"""What a worker does with a job that is a task of a workflow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, ParamSpec, TypeVar

import msgspec
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import is_transient, transaction, unreachable
from shared.errors import UnreachableError
from shared.jobs import running as jobs
from shared.jobs.jsonb import document, plain
from shared.jobs.running import Bound, Cancel, Discard, JobLostError, Running, Snooze
from shared.workflows import tasks
from shared.workflows.definition import INPUT, TASK, Step, Workflow
from shared.workflows.ending import end
from shared.workflows.task import Task, TaskKey
from shared.workflows.tasks import Attempt, Begun

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_SECONDS: Final = 60.0
"""How long a task that is done waits for the database to say so, rather than be done again."""
ERROR_CHARACTERS_MAX: Final = 2_000
_RETRY_SECONDS: Final = 0.2


def bind(workflow: Workflow[Any], context: object, engine: AsyncEngine) -> list[Bound]:
    """Make the handlers of all steps for a worker; `context` is the first argument of each step."""
    performers = [Performer(workflow, step, context, engine) for step in workflow.steps.values()]
    return [jobs.bind(performer.step.kind, performer.perform) for performer in performers]


class _Ended(Exception):  # noqa: N818 - no error: somebody ended the run meanwhile
    """The run was cancelled or failed while the task was at work; rolls its effects back."""


class Performer:
    """Performs the tasks of one step."""

    def __init__(self, workflow: Workflow[Any], step: Step, context: object, engine: AsyncEngine) -> None:
        self.step = step
        self._workflow = workflow
        self._context = context
        self._engine = engine
        self._decoders = {name: msgspec.json.Decoder(type_) for name, type_ in step.types.items()}
        self._result: msgspec.json.Decoder[Any] = msgspec.json.Decoder(step.result)

    async def perform(self, running: Running[TaskKey]) -> None:
        """Begin the task, call the step, complete the task with what follows; any end is written to its rows first."""
        attempt = Attempt.of(self.step, running)
        begun = await patiently(self._begin, attempt)
        if begun is None:
            raise Cancel("the run of this task has ended")
        try:
            task = Task(running)
            output = await self._call(task, begun)
            if not await patiently(self._complete_one_of_many, running, attempt, begun, task, output):
                await patiently(self._complete, running, attempt, task, output)
        except JobLostError:
            raise
        except _Ended:
            raise Cancel("the run of this task has ended") from None
        except Snooze:
            await patiently(self._hand_back, attempt, None)
            raise
        except Exception as error:
            await patiently(self._fail, running, attempt, error)
            raise

    async def _begin(self, attempt: Attempt) -> Begun | None:
        async with statement(self._engine) as connection:
            return await tasks.begin(connection, attempt)

    async def _call(self, task: Task, begun: Begun) -> str:
        """Call the step; returns what it returned as JSON that can be read as its type."""
        arguments = self._arguments(begun) | ({TASK: task} if self.step.wants_task else {})
        output = document(await self._within_its_time(self.step.function(self._context, **arguments)))
        try:
            self._result.decode(output)
        except msgspec.ValidationError as error:
            raise TypeError(f"it returned something else than it says: {error}") from error
        return output

    async def _within_its_time(self, returned: Awaitable[T]) -> T:
        seconds = self.step.timeout_seconds
        try:
            async with asyncio.timeout(seconds) as patience:
                return await returned
        except TimeoutError as error:
            if patience.expired():
                raise TimeoutError(f"it took longer than {seconds} s") from error
            raise

    async def _complete_one_of_many(
        self, running: Running[TaskKey], attempt: Attempt, begun: Begun, task: Task, output: str
    ) -> bool:
        """Complete the task quickly, if it is one of many, not the last, and has no effects."""
        if self.step.over is None or task.writes:
            return False
        running.settling = True
        try:
            async with statement(self._engine) as connection:
                running.settled = await tasks.complete_one_of_many(connection, attempt, begun.boot, output)
        finally:
            running.settling = False
        return running.settled

    async def _complete(self, running: Running[TaskKey], attempt: Attempt, task: Task, output: str) -> None:
        async with running.finishing() as connection:
            for write in task.writes:
                await write(connection)
            durable = bool(task.writes)
            if not await tasks.complete(connection, self._workflow, attempt, output, durable=durable):
                raise _Ended

    async def _hand_back(self, attempt: Attempt, error: str | None) -> None:
        async with transaction(self._engine) as connection:
            await tasks.hand_back(connection, attempt, error)

    async def _fail(self, running: Running[TaskKey], attempt: Attempt, error: Exception) -> None:
        """Let the task wait for another attempt, or end the run when there is none."""
        wished = isinstance(error, Cancel | Discard)
        said = plain(str(error) if wished else f"{type(error).__name__}: {error}", ERROR_CHARACTERS_MAX)
        if not wished and running.attempt < running.attempts_max:
            await self._hand_back(attempt, said)
            return
        async with transaction(self._engine) as connection:
            await end(
                connection,
                attempt.run,
                "cancelled" if isinstance(error, Cancel) else "failed",
                f"step {self.step.name}, task {attempt.index}: {said}",
                culprit=(self.step.name, attempt.index),
                except_job=attempt.job,
            )

    def _arguments(self, begun: Begun) -> dict[str, Any]:
        outputs: dict[str, msgspec.Raw] = (
            msgspec.json.decode(begun.outputs, type=dict[str, msgspec.Raw]) if begun.outputs else {}
        )
        return {name: self._argument(name, decoder, begun, outputs) for name, decoder in self._decoders.items()}

    def _argument(
        self, name: str, decoder: msgspec.json.Decoder[Any], begun: Begun, outputs: dict[str, msgspec.Raw]
    ) -> Any:
        if name == INPUT:
            return decoder.decode(begun.input)
        if self.step.over is not None and name == self.step.over.parameter:
            return decoder.decode(begun.element or "null")
        listed = outputs.get(name, msgspec.Raw(b"[]"))
        if self._workflow.steps[name].over is not None:
            return decoder.decode(listed)
        return decoder.decode(msgspec.json.decode(listed, type=list[msgspec.Raw])[0])


@asynccontextmanager
async def statement(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection on which every statement is a transaction; a lost database is an `UnreachableError`."""
    try:
        async with engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")
    except (OperationalError, InterfaceError) as error:
        if is_transient(error):
            raise unreachable(engine, error) from error
        raise


async def patiently(action: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Repeat while the database is away; raises `UnreachableError` after `PATIENCE_SECONDS`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await action(*args, **kwargs)
        except UnreachableError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_RETRY_SECONDS)
