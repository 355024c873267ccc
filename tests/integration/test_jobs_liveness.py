"""Liveness, not age: who beats keeps its jobs however long they take, who does not loses them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import AlreadyRunningError, ConfigurationError, NotFoundError
from shared.jobs import queue, workers
from shared.jobs.queue import Options
from shared.jobs.rescue import rescue
from shared.jobs.running import Running, bind
from shared.jobs.worker import Worker
from shared.jobs.workers import WorkerSettings
from tests.support.jobs import (
    DEAD_SECONDS,
    ECHO,
    EFFECT,
    Task,
    becomes,
    empty_queue,
    execute,
    job,
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

NOBODY = "00000000-0000-0000-0000-000000000000"


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


async def echo(task: Running[dict[str, int]]) -> dict[str, int]:
    return task.args


# --- the registry ---


async def test_a_live_name_is_refused_and_told_who_has_it(engine: AsyncEngine) -> None:
    async with started(worker(engine, [])):
        with pytest.raises(AlreadyRunningError, match=f"one is process {os.getpid()} on {socket.gethostname()}"):
            await worker(engine, []).start()
        async with started(worker(engine, [], "two")), engine.connect() as connection:
            found = {row.name: row for row in await workers.list_workers(connection)}
    assert found.keys() == {"one", "two"}
    assert found["one"].status == "online"
    assert found["one"].seconds_since_heartbeat < DEAD_SECONDS
    assert found["one"].queues == ["default", "metrics", "pattern_mining", "training"]


@pytest.mark.parametrize("trace", ["pid = 4194305", "pid_started = 1", "last_heartbeat_at = now() - interval '5 s'"])
async def test_who_died_is_replaced_at_once_and_its_jobs_are_run(engine: AsyncEngine, trace: str) -> None:
    dead = await _dead_worker(engine)
    await execute(engine, f"UPDATE workers SET {trace}")  # noqa: S608
    async with working(engine, echo):
        row = await becomes(engine, dead, "completed")
    assert (row.attempt, row.errors[0]["error"]) == (2, "worker one stopped answering")
    assert await scalar(engine, "SELECT array_agg(ended ORDER BY ended) FROM worker_history") == ["replaced", "stopped"]


async def _dead_worker(engine: AsyncEngine) -> int:
    """A worker of this machine that is registered and has a job; nobody is behind it."""
    async with transaction(engine) as connection:
        boot = await workers.register(connection, settings())
    return await _executing(engine, boot)


async def _executing(engine: AsyncEngine, boot: str, name: str = "one") -> int:
    made = await put(engine)
    taken = "UPDATE oban_jobs SET state = 'executing', attempt = 1, attempted_by = ARRAY[:name, :boot] WHERE id = :id"
    await execute(engine, taken, id=made, boot=boot, name=name)
    return made


async def test_statuses_follow_the_ladder(engine: AsyncEngine) -> None:
    await _dead_worker(engine)
    seen = []
    for seconds in (0, 31, 61, 301):
        await execute(engine, "UPDATE workers SET last_heartbeat_at = now() - make_interval(secs => :s)", s=seconds)
        async with engine.connect() as connection:
            seen += [row.status for row in await workers.list_workers(connection)]
    assert seen == ["online", "suspect", "inactive", "offline"]


async def test_workers_that_are_gone_are_forgotten_after_a_while(engine: AsyncEngine) -> None:
    async with started(worker(engine, [])):
        pass
    async with transaction(engine) as connection:
        assert await workers.purge(connection) == 0
        assert await workers.purge(connection, kept_seconds=0) == 1
        with pytest.raises(NotFoundError, match="no worker called one is alive; there are: none"):
            await workers.set_status(connection, "one", "paused")


def test_one_late_beat_is_no_death() -> None:
    with pytest.raises(ConfigurationError, match="3 times beat_seconds"):
        WorkerSettings("one", beat_seconds=5, dead_seconds=10)


# --- the fence and the rescue ---


async def test_rescue_gives_back_what_nobody_alive_has_and_discards_what_had_its_attempts(
    engine: AsyncEngine, url: str
) -> None:
    async with started(worker(engine, [])):
        alive = str(await scalar(engine, "SELECT boot_id FROM workers"))
        theirs = await _executing(engine, alive)
        lost, last = await _executing(engine, NOBODY), await _executing(engine, NOBODY)
        await execute(engine, "UPDATE oban_jobs SET max_attempts = 1 WHERE id = :id", id=last)
        await asyncio.to_thread(_rescue, url)
        assert [(await job(engine, i)).state for i in (theirs, lost, last)] != ["executing"] * 3
        await becomes(engine, lost, "scheduled")  # claimed by one that does not know the kind
        assert (await job(engine, last)).state == "discarded"


def _rescue(url: str, dead_seconds: float | None = None) -> tuple[list[str], int]:
    with psycopg.connect(url, autocommit=True) as connection:
        return rescue(connection, dead_seconds=dead_seconds)


async def test_who_is_dead_is_marked_once_and_remembered(engine: AsyncEngine, url: str) -> None:
    made = await _dead_worker(engine)
    assert _rescue(url, DEAD_SECONDS) == ([], 0)
    await execute(engine, "UPDATE workers SET last_heartbeat_at = now() - interval '5 s'")
    assert _rescue(url) == ([], 0)
    assert _rescue(url, DEAD_SECONDS) == (["one"], 1)
    assert _rescue(url, DEAD_SECONDS) == ([], 0)
    assert (await job(engine, made)).state == "available"
    assert await scalar(engine, "SELECT ended FROM worker_history") == "died"


async def test_a_row_somebody_holds_does_not_stop_the_rescue_of_others(engine: AsyncEngine, url: str) -> None:
    held, free = await _executing(engine, NOBODY), await _executing(engine, NOBODY)
    with psycopg.connect(url) as frozen:
        frozen.execute("SELECT FROM oban_jobs WHERE id = %s FOR UPDATE", [held])
        assert _rescue(url) == ([], 1)
    assert _rescue(url) == ([], 1)
    assert [(await job(engine, i)).state for i in (held, free)] == ["available"] * 2


async def test_who_has_only_just_begun_to_beat_judges_nobody(engine: AsyncEngine) -> None:
    """After an outage everybody looks dead."""
    await _dead_worker(engine)
    await execute(
        engine, "UPDATE workers SET name = 'quiet', hostname = 'x', last_heartbeat_at = now() - interval '1 h'"
    )
    judge = worker(engine, [], beat_seconds=0.1, dead_seconds=1.5)
    ended = "SELECT (SELECT ended_at FROM worker_history) - started_at FROM workers WHERE name = 'one'"
    async with started(judge):
        after = await eventually(lambda: scalar(engine, ended), 10, "quiet is found dead")
    assert isinstance(after, timedelta)
    assert after.total_seconds() > 1.5


async def test_who_is_taken_for_dead_cancels_its_jobs_and_begins_anew(engine: AsyncEngine) -> None:
    begun: list[int] = []
    cancelled = asyncio.Event()

    async def handler(task: Running[dict[str, int]]) -> dict[str, int]:
        begun.append(task.attempt)
        if len(begun) == 1:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
        return task.args

    async with working(engine, handler) as one:
        made = await put(engine)
        await eventually(lambda: begun)
        before = await scalar(engine, "SELECT boot_id FROM workers")
        await execute(engine, "UPDATE workers SET status = 'offline', deprecated_at = now()")
        await asyncio.wait_for(cancelled.wait(), 5)
        row = await becomes(engine, made, "completed")
        assert begun == [1, 2]
        assert row.attempt == 2
        assert not one.lost.is_set()
        assert await scalar(engine, "SELECT boot_id FROM workers WHERE status = 'online'") != before


async def test_a_worker_whose_name_was_taken_ends(engine: AsyncEngine) -> None:
    one = worker(engine, [])
    await one.start()
    await execute(engine, "UPDATE workers SET boot_id = gen_random_uuid(), pid = 1, hostname = 'elsewhere'")
    with pytest.raises(AlreadyRunningError, match="process 1 on elsewhere"):
        await asyncio.wait_for(one.wait(), 5)
    await one.stop()


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
