"""Kinds of jobs to try the queue with, and workers that run them: in this process, or in one that may be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from subprocess import Popen
from types import NoneType
from typing import Any

import psycopg
import uvloop
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

import instance.store
from shared.database import connect_engine, transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.jobs import listing, queue
from shared.jobs.kinds import Kind
from shared.jobs.listing import JobRow
from shared.jobs.queue import DEFAULTS, Options
from shared.jobs.running import Bound, Handler, Running, bind
from shared.jobs.worker import Worker
from shared.jobs.workers import WorkerSettings
from shared.log import configure
from shared.migrations import upgrade_in_thread
from tests.support.lifecycle import started
from tests.support.processes import line, python
from tests.support.wait import eventually

DEAD_SECONDS = 4.0
_MADE: set[str] = set()
# The two tables have no unique keys: what is done twice shall be seen.
TABLES = """
    CREATE TABLE IF NOT EXISTS starts (job bigint, worker text, at timestamptz DEFAULT clock_timestamp());
    CREATE TABLE IF NOT EXISTS effects (job bigint, worker text, at timestamptz DEFAULT clock_timestamp());
    TRUNCATE oban_jobs, workers, worker_history, job_queues, starts, effects;
    INSERT INTO job_queues (name, limit_per_worker)
    VALUES ('default', 10), ('metrics', 5), ('training', 2), ('pattern_mining', 3)
"""


_START = text("INSERT INTO starts (job, worker) VALUES (:job, :worker)")
_EFFECT = text("INSERT INTO effects (job, worker) VALUES (:job, :worker)")

_LOCK = text("SELECT FROM job_queues WHERE name = 'training' FOR UPDATE")


class Task(Struct):
    """How long to work, asleep or blocking the event loop, and what befalls it: death, or ice while it holds a lock."""

    seconds: float = 0.0
    blocks: bool = False
    dies: bool = False
    freezes: bool = False


@asynccontextmanager
async def empty_queue(server: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    """Give an engine on a database of the newest schema without any jobs; one for all tests, so that it is quick."""
    url = server.dsn("jobs")
    if url not in _MADE:
        server.ensure_database("jobs")
        await upgrade_in_thread(url, Path(instance.store.__path__[0]) / "migrations")
        _MADE.add(url)
    engine = connect_engine(url, application="test")
    try:
        await _emptied(engine)
        yield engine
    finally:
        await engine.dispose()


async def _emptied(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        for statement in filter(str.strip, TABLES.split(";")):
            await connection.execute(text(statement))


def quick_backoff(_attempt: int) -> float:
    return 0.0


ECHO = Kind("echo", dict[str, int], dict[str, int], backoff=quick_backoff)
EFFECT = Kind("effect", Task, NoneType, backoff=quick_backoff)


def settings(name: str = "one", **more: Any) -> WorkerSettings:
    """A worker that beats often enough for tests."""
    return WorkerSettings(name, **{"beat_seconds": 0.5, "dead_seconds": DEAD_SECONDS, **more})


def worker(engine: AsyncEngine, handlers: Sequence[Bound], name: str = "one", **more: Any) -> Worker:
    url = engine.url.render_as_string(hide_password=False)
    return Worker(engine, url, handlers, settings(name, **more))


@asynccontextmanager
async def working(
    engine: AsyncEngine, handler: Handler[Any, Any], name: str = "one", **more: Any
) -> AsyncIterator[Worker]:
    """Run a worker whose `echo` jobs are handled so."""
    one = worker(engine, [bind(ECHO, handler)], name, **more)
    async with started(one):
        yield one


async def put(engine: AsyncEngine, number: int = 0, options: Options = DEFAULTS) -> int:
    """Queue an `echo` job with a number."""
    async with transaction(engine) as connection:
        return (await queue.enqueue(connection, ECHO, {"n": number}, options)).id


async def job(engine: AsyncEngine, job_id: int) -> JobRow:
    """Read a job."""
    async with engine.connect() as connection:
        row = await listing.get(connection, job_id)
    assert row is not None
    return row


async def becomes(engine: AsyncEngine, job_id: int, state: str, timeout_seconds: float = 10.0) -> JobRow:
    """Wait until a job is in a state."""

    async def there() -> JobRow | None:
        row = await job(engine, job_id)
        return row if row.state == state else None

    row = await eventually(there, timeout_seconds, f"job {job_id} {state}")
    assert row is not None
    return row


async def execute(engine: AsyncEngine, statement: str, **values: Any) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text(statement), values)


def performing(engine: AsyncEngine) -> Handler[Task, None]:
    """Note the start, work for a while, and have an effect once."""

    async def perform(task: Running[Task]) -> None:
        async with transaction(engine) as connection:
            await connection.execute(_START, {"job": task.id, "worker": task.worker})
        if task.args.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        if task.args.blocks:
            time.sleep(task.args.seconds)  # noqa: ASYNC251 - that is the test
        else:
            await asyncio.sleep(task.args.seconds)
        async with task.finishing() as connection:
            await connection.execute(_EFFECT, {"job": task.id, "worker": task.worker})
            if task.args.freezes:
                await connection.execute(_LOCK)
                if task.attempt == 1:
                    os.kill(os.getpid(), signal.SIGSTOP)

    return perform


async def serve(url: str, name: str) -> None:
    """Be a worker of `effect` jobs until killed; says when it has registered."""
    engine = connect_engine(url, application=name)
    one = worker(engine, [bind(EFFECT, performing(engine))], name)
    await one.start()
    print("registered", flush=True)  # noqa: T201 - the test waits for it
    await one.wait()


def main() -> None:
    """Run as a process: URL NAME."""
    configure(level="error", form="console")
    uvloop.run(serve(*sys.argv[1:]))


@contextmanager
def worker_process(url: str, name: str) -> Iterator[Popen[str]]:
    """Run a worker in a process of its own; given once it has registered, killed at the end."""
    with python("from tests.support.jobs import main; main()", url, name) as process:
        assert line(process) == "registered"
        yield process


def rows(url: str, statement: str) -> list[Any]:
    """Rows of a statement, for tests without an engine."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


Echo = Running[dict[str, int]]


async def echo(task: Echo) -> dict[str, int]:
    return task.args


class Gate:
    """Handles jobs by keeping them until it is opened; `begun` are the numbers of those that have begun."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.cancelled: list[int] = []
        self.open = asyncio.Event()

    async def __call__(self, task: Echo) -> dict[str, int]:
        self.begun.append(task.args["n"])
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled.append(task.args["n"])
            raise
        return task.args

    async def holds(self, count: int) -> None:
        await eventually(lambda: len(self.begun) >= count, what=f"{count} jobs begun")


async def outcome(engine: AsyncEngine, handler: Handler[Any, Any], state: str, **more: Any) -> JobRow:
    """What becomes of one job that is handled so."""
    async with working(engine, handler):
        return await becomes(engine, await put(engine, options=Options(**more)), state)
