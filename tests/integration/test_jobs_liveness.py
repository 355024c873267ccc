"""Liveness, not age: who beats keeps its jobs however long they take, who does not loses them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.jobs import queue
from shared.jobs.queue import Options
from shared.jobs.running import bind
from shared.jobs.worker import Worker
from tests.support.jobs import (
    DEAD_SECONDS,
    ECHO,
    EFFECT,
    Task,
    becomes,
    echo,
    empty_queue,
    execute,
    performing,
    put,
    rows,
    settings,
    worker,
    worker_process,
    working,
)
from tests.support.jobs_pooler import pooler
from tests.support.lifecycle import started
from tests.support.patterns import scalar
from tests.support.wait import eventually


@pytest.fixture
async def engine(postgres: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    async with empty_queue(postgres) as engine:
        yield engine


@pytest.fixture
def url(postgres: EmbeddedPostgres) -> str:
    return postgres.dsn("jobs")


async def effect(engine: AsyncEngine, task: Task, options: Options | None = None) -> int:
    async with transaction(engine) as connection:
        return (await queue.enqueue(connection, EFFECT, task, options or Options())).id


async def starts(engine: AsyncEngine) -> int:
    return int(str(await scalar(engine, "SELECT count(*) FROM starts")))


# --- processes that die, freeze and block ---


async def test_jobs_of_a_killed_process_are_run_by_another_within_five_seconds(engine: AsyncEngine, url: str) -> None:
    with worker_process(url, "victim") as victim, worker_process(url, "heir"):
        await _judged(engine, "heir")
        await execute(engine, "UPDATE workers SET status = 'paused' WHERE name = 'heir'")
        made = await effect(engine, Task(seconds=0.2))
        await eventually(lambda: starts(engine))
        os.kill(victim.pid, signal.SIGKILL)
        killed = await scalar(engine, "SELECT clock_timestamp()")
        await execute(engine, "UPDATE workers SET status = 'online' WHERE name = 'heir'")
        await becomes(engine, made, "completed", 10)
    (seconds,) = rows(url, f"SELECT extract(epoch FROM at - '{killed}')::float FROM starts WHERE worker = 'heir'")  # noqa: S608
    assert seconds[0] < DEAD_SECONDS + 2
    assert rows(url, "SELECT worker FROM effects") == [("heir",)]
    assert rows(url, "SELECT ended FROM worker_history") == [("died",)]


async def _judged(engine: AsyncEngine, name: str) -> None:
    """Wait until a worker has beaten for long enough to judge others."""
    old = f"SELECT last_heartbeat_at - started_at > interval '{DEAD_SECONDS + 1} s' FROM workers WHERE name = '{name}'"  # noqa: S608
    await eventually(lambda: scalar(engine, old), 20)


async def test_a_live_job_runs_once_however_long_it_takes_and_blocks(engine: AsyncEngine, url: str) -> None:
    with worker_process(url, "one"), worker_process(url, "two"):
        long = await effect(engine, Task(seconds=DEAD_SECONDS + 2))
        blocking = await effect(engine, Task(seconds=DEAD_SECONDS + 2, blocks=True))
        for made in (long, blocking):
            assert (await becomes(engine, made, "completed", 30)).attempt == 1
    assert rows(url, "SELECT count(*), count(DISTINCT job) FROM starts") == [(2, 2)]
    assert rows(url, "SELECT count(*) FROM worker_history") == [(0,)]


async def test_a_frozen_process_is_replaced_and_changes_nothing_when_it_wakes(engine: AsyncEngine, url: str) -> None:
    with worker_process(url, "frozen") as frozen:
        made = await effect(engine, Task(freezes=True))
        await eventually(lambda: starts(engine))
        with worker_process(url, "heir"):
            await becomes(engine, made, "completed", 20)
            os.kill(frozen.pid, signal.SIGCONT)
            again = "SELECT status = 'online' FROM workers WHERE name = 'frozen'"
            await eventually(lambda: scalar(engine, again), 10, "registered again")
            after = await effect(engine, Task())
            await becomes(engine, after, "completed")
    assert rows(url, f"SELECT worker FROM effects WHERE job = {made}") == [("heir",)]  # noqa: S608
    assert rows(url, "SELECT name, ended FROM worker_history") == [("frozen", "died")]


async def test_a_job_that_kills_its_worker_is_discarded_after_its_attempts(engine: AsyncEngine, url: str) -> None:
    made = await effect(engine, Task(dies=True), Options(attempts_max=2))
    for _ in range(2):
        with worker_process(url, "one") as process:
            await asyncio.to_thread(process.wait, 10)
    with worker_process(url, "one"):
        row = await becomes(engine, made, "discarded")
    assert [error["attempt"] for error in row.errors] == [1, 2]
    assert await starts(engine) == 2


# --- a database that goes away, and connections that are deaf ---


async def test_behind_a_pooler_it_polls_and_prepares_nothing(
    engine: AsyncEngine, postgres: EmbeddedPostgres, scratch: Path
) -> None:
    async with pooler(postgres.dsn("jobs"), scratch) as (url, seen):
        deaf = Worker(engine, url, [bind(ECHO, echo)], settings())
        async with started(deaf):
            for _ in range(10):
                await becomes(engine, await put(engine), "completed", 2)
    assert seen["refused"] == 1
    assert seen["swallowed"] > 0
    assert seen["prepared"] == 0


async def _ends(engine: AsyncEngine, what: str) -> None:
    """End connections of workers of that purpose, as an administrator or a firewall does."""
    found = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE '%' || :what"
    async with transaction(engine) as connection:
        assert (await connection.execute(text(found), {"what": what})).scalar()


@pytest.mark.parametrize("what", ["flocklore one", "listening", "beating"])
async def test_every_connection_of_a_worker_is_made_anew(engine: AsyncEngine, what: str) -> None:
    async with working(engine, echo) as one:
        await becomes(engine, await put(engine), "completed")
        await _listening(engine)
        await _ends(engine, what)
        await becomes(engine, await put(engine), "completed", 5)
        await _listening(engine)
        assert one.running
        beaten = await scalar(engine, "SELECT last_heartbeat_at FROM workers")
        since = f"SELECT last_heartbeat_at > '{beaten}' FROM workers"  # noqa: S608
        await eventually(lambda: scalar(engine, since), 5, "a beat")


async def _listening(engine: AsyncEngine) -> None:
    count = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%listening' AND query ~ 'LISTEN|SELECT 1'"
    )
    await eventually(lambda: scalar(engine, count), 5, "a connection that listens")


async def test_jobs_survive_a_restart_of_the_database(own_postgres: Callable[[], EmbeddedPostgres]) -> None:
    server = own_postgres()
    async with empty_queue(server) as engine:
        url = server.dsn("jobs")
        async with started(worker(engine, [bind(EFFECT, performing(engine))])):
            made = [await effect(engine, Task(seconds=1.5)) for _ in range(5)]
            await eventually(lambda: _count(url, 5))
            assert server.child is not None
            server.child.kill()
            server.start()
            later = await _patiently(lambda: effect(engine, Task()))
            for one in (*made, later):
                await becomes(engine, one, "completed", 20)
        assert rows(url, "SELECT count(*), count(DISTINCT job) FROM effects") == [(6, 6)]
        assert rows(url, "SELECT ended FROM worker_history") == [("stopped",)]


def _count(url: str, wanted: int) -> bool:
    return bool(rows(url, "SELECT count(*) FROM starts")[0][0] == wanted)


async def _patiently(work: Callable[[], Any]) -> int:
    async def tried() -> int | None:
        try:
            made: int = await work()
        except Exception:  # noqa: BLE001 - the database is away
            return None
        return made

    made = await eventually(tried, 20)
    assert made is not None
    return made
