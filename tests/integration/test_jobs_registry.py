"""The registry of workers: names, statuses, who is dead, and what becomes of its jobs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import AlreadyRunningError, ConfigurationError, NotFoundError
from shared.jobs import workers
from shared.jobs.rescue import rescue
from shared.jobs.running import Running
from shared.jobs.workers import WorkerSettings
from tests.support.jobs import (
    DEAD_SECONDS,
    becomes,
    echo,
    empty_queue,
    execute,
    job,
    put,
    settings,
    worker,
    working,
)
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
