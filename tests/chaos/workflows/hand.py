"""A worker as a process, with a workflow that maps wide; each task leaves one row in the table `effects`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared import log as logging
from shared.database import connect_engine
from shared.jobs.worker import Worker
from shared.jobs.workers import WorkerSettings
from shared.runner import run_daemon
from shared.service import Service
from shared.workflows.definition import Workflow
from shared.workflows.performer import bind
from shared.workflows.sweep import Sweep
from shared.workflows.task import Task

EFFECTS = text("CREATE TABLE effects (step text NOT NULL, index integer NOT NULL)")
_EFFECT = text("INSERT INTO effects VALUES (:step, :index)")
_ATTEMPTS = 10


class Load(Struct):
    """How many tasks, and how long each of them takes."""

    tasks: int
    task_seconds: float = 0.0
    effects: bool = True


tally = Workflow("tally", Load)


def note(task: Task, step: str) -> None:
    """Leave a mark with the end of the task."""

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(_EFFECT, {"step": step, "index": task.index})

    task.also(write)


@tally.step(attempts_max=_ATTEMPTS, backoff=lambda _attempt: 0.0)
async def number(context: None, input: Load, task: Task) -> list[int]:
    """Say what there is to square."""
    note(task, "number")
    return list(range(input.tasks))


@tally.map("number", attempts_max=_ATTEMPTS, backoff=lambda _attempt: 0.0)
async def square(context: None, one: int, input: Load, task: Task) -> int:
    """Square one."""
    await asyncio.sleep(input.task_seconds)
    if input.effects:
        note(task, "square")
    return one * one


@tally.step(attempts_max=_ATTEMPTS, backoff=lambda _attempt: 0.0)
async def total(context: None, square: list[int], task: Task) -> list[int]:
    """Say how many there were, their sum, and a number that only the right order gives."""
    note(task, "total")
    in_order = sum(position * value for position, value in enumerate(square))
    return [len(square), sum(square), in_order]


@asynccontextmanager
async def build(url: str, name: str) -> AsyncIterator[Sequence[Service]]:
    """Yield a worker that dies after four seconds of silence, and the sweep."""
    engine = connect_engine(url, application=name)
    settings = WorkerSettings(name=name, beat_seconds=1.0, dead_seconds=4.0, queues={"default": 10})
    yield [Worker(engine, url, bind(tally, None, engine), settings), Sweep(engine, every_seconds=1.0)]
    await engine.dispose()


if __name__ == "__main__":
    logging.configure(level="info", form="console", service="hand", instance=sys.argv[2])
    sys.exit(run_daemon(lambda: build(sys.argv[1], sys.argv[2])))
