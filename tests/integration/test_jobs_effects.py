"""What a job does beside ending, and what becomes of jobs when their worker stops."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import NoReturn

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import ConfigurationError
from shared.jobs import queue
from shared.jobs.queue import Options
from shared.jobs.running import JobLostError, bind
from tests.support.jobs import ECHO, Echo, Gate, becomes, echo, empty_queue, execute, job, outcome, put, worker, working
from tests.support.lifecycle import started, stress
from tests.support.patterns import scalar
from tests.support.wait import eventually


@pytest.fixture
async def engine(postgres: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    async with empty_queue(postgres) as engine:
        yield engine


async def test_effects_and_the_end_of_the_job_are_one_transaction(engine: AsyncEngine) -> None:
    async def handler(task: Echo) -> dict[str, int]:
        async with task.finishing({"kept": task.attempt}) as connection:
            await connection.execute(text("INSERT INTO effects (job) VALUES (:id)"), {"id": task.id})
            if task.attempt == 1:
                raise OSError("before the commit")
        return {"not": 0}

    row = await outcome(engine, handler, "completed")
    assert (row.attempt, row.result) == (2, {"kept": 2})
    assert await scalar(engine, "SELECT count(*) FROM effects") == 1


async def test_a_job_that_is_no_longer_ours_has_no_effect(engine: AsyncEngine) -> None:
    lost: list[str] = []

    async def handler(task: Echo) -> None:
        try:
            async with task.finishing() as connection:
                await connection.execute(text("INSERT INTO effects (job) VALUES (:id)"), {"id": task.id})
                await execute(engine, "UPDATE oban_jobs SET attempt = attempt + 1")
        except JobLostError as error:
            lost.append(str(error))
            raise

    async with working(engine, handler):
        await put(engine)
        await eventually(lambda: lost)
    assert await scalar(engine, "SELECT count(*) FROM effects") == 0


async def test_an_error_after_the_end_changes_nothing(engine: AsyncEngine) -> None:
    async def handler(task: Echo) -> NoReturn:
        async with task.finishing():
            pass
        raise OSError("too late")

    row = await outcome(engine, handler, "completed")
    assert (row.attempt, row.errors) == (1, [])


async def test_progress_is_kept_while_it_runs(engine: AsyncEngine) -> None:
    gate = asyncio.Event()

    async def handler(task: Echo) -> None:
        task.progress(1, 3, "one of three")
        await gate.wait()
        task.progress(3, 3)

    async with working(engine, handler):
        made = await put(engine, options=Options(meta={"kept": True}))

        async def told() -> bool:
            return "progress" in (await job(engine, made)).meta

        await eventually(told)
        said = {"done": 1, "total": 3, "note": "one of three"}
        assert (await job(engine, made)).meta == {"kept": True, "progress": said}
        gate.set()
        assert (await becomes(engine, made, "completed")).meta["progress"]["done"] == 3


def spin(seconds: float) -> int:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    return os.getpid()


async def test_cpu_bound_work_runs_in_another_process_which_ends_with_the_job(engine: AsyncEngine) -> None:
    pids: list[int] = []

    async def handler(task: Echo) -> dict[str, int]:
        pids.append(await task.in_process(spin, 0.0))
        return {"pid": await task.in_process(spin, float(task.args["n"]))}

    async with working(engine, handler):
        quick = await becomes(engine, await put(engine), "completed", 20)
        assert quick.result == {"pid": pids[0]}
        assert pids[0] != os.getpid()
        slow = await put(engine, 3600)
        await eventually(lambda: len(pids) == 2)
        async with transaction(engine) as connection:
            await queue.cancel(connection, [slow])
        await eventually(lambda: not _alive(pids[1]))
        again = await becomes(engine, await put(engine), "completed", 20)
        assert again.result != quick.result


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_stopping_waits_for_what_runs_and_claims_nothing_more(engine: AsyncEngine) -> None:
    gate = Gate()
    async with working(engine, gate, queues={"default": 1}) as one:
        first, second = await put(engine, 1), await put(engine, 2)
        await gate.holds(1)
        stopping = asyncio.create_task(one.stop())
        await asyncio.wait({stopping}, timeout=0.6)
        assert not stopping.done()
        assert await scalar(engine, "SELECT status FROM workers") == "draining"
        gate.open.set()
        await asyncio.wait_for(stopping, 5)
    assert [(await job(engine, i)).state for i in (first, second)] == ["completed", "available"]
    assert await scalar(engine, "SELECT ended FROM worker_history") == "stopped"
    assert await scalar(engine, "SELECT status FROM workers WHERE deprecated_at IS NOT NULL") == "offline"


async def test_what_does_not_end_in_time_is_handed_back_and_the_attempt_does_not_count(engine: AsyncEngine) -> None:
    gate = Gate()
    one = worker(engine, [bind(ECHO, gate)], finish_seconds=0.1)
    async with started(one):
        made = await put(engine, 1, Options(attempts_max=1))
        await gate.holds(1)
    assert gate.cancelled == [1]
    row = await job(engine, made)
    assert (row.state, row.attempt, row.errors) == ("available", 0, [])


async def test_what_ignores_that_it_is_cancelled_is_handed_back_all_the_same(engine: AsyncEngine) -> None:
    begun, deaf = asyncio.Event(), asyncio.Event()

    async def handler(_task: Echo) -> dict[str, int]:
        begun.set()
        while not deaf.is_set():
            try:
                await deaf.wait()
            except asyncio.CancelledError:
                continue
        return {}

    async with started(worker(engine, [bind(ECHO, handler)], finish_seconds=0.1)):
        made = await put(engine)
        await asyncio.wait_for(begun.wait(), 5)
    assert (await job(engine, made)).state == "available"
    deaf.set()


async def test_its_lifecycle(engine: AsyncEngine) -> None:
    await stress(worker(engine, [bind(ECHO, echo)]))
    assert await scalar(engine, "SELECT count(*) FROM workers WHERE status <> 'offline'") == 0


async def test_a_kind_bound_twice_is_refused(engine: AsyncEngine) -> None:
    with pytest.raises(ConfigurationError, match="two handlers"):
        worker(engine, [bind(ECHO, echo), bind(ECHO, echo)])
