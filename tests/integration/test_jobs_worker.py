"""A worker and its jobs: how they end, and when they begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from types import NoneType
from typing import Any, NoReturn

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.jobs import queue, queues, workers
from shared.jobs.kinds import Kind
from shared.jobs.queue import Options
from shared.jobs.running import Cancel, Discard, Snooze, bind
from tests.support.jobs import ECHO, Echo, Gate, becomes, echo, empty_queue, execute, job, outcome, put, worker, working
from tests.support.lifecycle import started
from tests.support.patterns import scalar
from tests.support.wait import eventually


@pytest.fixture
async def engine(postgres: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    async with empty_queue(postgres) as engine:
        yield engine


async def test_a_job_runs_and_its_result_is_kept(engine: AsyncEngine) -> None:
    async with working(engine, echo) as one:
        done = await becomes(engine, await put(engine, 7), "completed")
        assert (done.result, done.attempt, done.worker, done.errors) == ({"n": 7}, 1, "one", [])
        assert one.load == 0


async def test_a_failing_job_is_tried_again_and_discarded_with_every_error(engine: AsyncEngine) -> None:
    async def fail(task: Echo) -> NoReturn:
        raise ValueError(f"attempt {task.attempt} of {task.attempts_max}\0")

    row = await outcome(engine, fail, "discarded", attempts_max=3)
    assert [error["error"] for error in row.errors] == [f"attempt {n} of 3\\0" for n in (1, 2, 3)]
    assert [error["attempt"] for error in row.errors] == [1, 2, 3]
    assert row.errors[0]["type"] == "ValueError"
    assert "in fail" in row.errors[0]["traceback"]
    assert row.errors[0]["at"].startswith(str(row.finished_at)[:10])


async def test_after_a_failure_it_waits_as_long_as_its_kind_says(engine: AsyncEngine) -> None:
    async def fail(_task: Echo) -> NoReturn:
        raise OSError

    patient = replace(ECHO, backoff=lambda attempt: 100.0 * attempt)
    async with started(worker(engine, [bind(patient, fail)])):
        row = await becomes(engine, await put(engine), "retryable")
    assert row.attempted_at is not None
    assert 99 < (row.scheduled_at - row.attempted_at).total_seconds() < 110


@pytest.mark.parametrize("backoff", [lambda _: -1.0, lambda _: 1 // 0, lambda _: float("nan")])
async def test_a_backoff_that_is_wrong_loses_no_job(engine: AsyncEngine, backoff: Any) -> None:
    async def fail(_task: Echo) -> NoReturn:
        raise OSError

    async with started(worker(engine, [bind(replace(ECHO, backoff=backoff), fail)])):
        made = await put(engine, options=Options(attempts_max=2))
        await eventually(lambda: _attempted(engine, made), what="an attempt")
        assert (await job(engine, made)).state in ("retryable", "available", "executing", "discarded")


async def _attempted(engine: AsyncEngine, made: int) -> bool:
    return bool((await job(engine, made)).errors)


async def test_what_a_handler_may_raise(engine: AsyncEngine) -> None:
    async def raising(task: Echo) -> NoReturn:
        task.progress(float("nan"), 1, "a NUL: \0")
        raise (Snooze(float("inf")), Cancel("pointless"), Discard("never"))[task.args["n"]]

    async with working(engine, raising):
        snoozed, cancelled, discarded = [await put(engine, n) for n in range(3)]
        row = await becomes(engine, snoozed, "scheduled")
        assert (row.attempt, row.errors) == (0, [])
        assert (await becomes(engine, cancelled, "cancelled")).errors[0]["error"] == "pointless"
        row = await becomes(engine, discarded, "discarded")
        assert (row.attempt, row.errors[0]["error"]) == (1, "never")


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), BaseExceptionGroup("two", [OSError()])])
async def test_whatever_a_handler_raises_is_a_failure_of_the_job_alone(
    engine: AsyncEngine, error: BaseException
) -> None:
    async def raising(_task: Echo) -> NoReturn:
        raise error

    row = await outcome(engine, raising, "discarded", attempts_max=1)
    assert row.errors[0]["type"] == type(error).__name__


async def test_a_result_that_cannot_be_kept_is_a_failure(engine: AsyncEngine) -> None:
    async def handler(_task: Echo) -> Any:
        return object()

    row = await outcome(engine, handler, "discarded", attempts_max=1)
    assert "cannot be kept as JSON" in row.errors[0]["error"]


async def test_a_job_that_takes_too_long_is_cancelled_and_fails(engine: AsyncEngine) -> None:
    gate = Gate()
    async with started(worker(engine, [bind(replace(ECHO, timeout_seconds=0.05), gate)])):
        row = await becomes(engine, await put(engine, options=Options(attempts_max=1)), "discarded")
    assert "longer than the 0.05 s a echo may take" in row.errors[0]["error"]
    assert gate.cancelled == [0]


async def test_arguments_of_another_type_are_discarded_at_once(engine: AsyncEngine) -> None:
    made = await put(engine)
    await execute(engine, """UPDATE oban_jobs SET args = '{"n": "many"}'""")
    async with working(engine, echo):
        row = await becomes(engine, made, "discarded")
    assert row.errors[0]["error"].startswith("Expected `int`, got `str`")


async def test_a_kind_it_does_not_know_is_left_to_others(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        made = (await queue.enqueue(connection, Kind("new", NoneType, NoneType), None)).id
    async with working(engine, echo):
        row = await becomes(engine, made, "scheduled")
    assert row.attempt == 0
    assert row.attempted_at is not None
    assert 9 < (row.scheduled_at - row.attempted_at).total_seconds() < 20


async def test_first_by_priority_then_by_time(engine: AsyncEngine) -> None:
    for number, priority in enumerate((5, 0, 9, 0)):
        await put(engine, number, Options(queue="training", priority=priority))
    gate = Gate()
    gate.open.set()
    async with working(engine, gate, queues={"training": 1}):
        await gate.holds(4)
    assert gate.begun == [1, 3, 0, 2]


async def test_what_is_scheduled_runs_when_it_is_due(engine: AsyncEngine) -> None:
    async with working(engine, echo):
        row = await becomes(engine, await put(engine, options=Options(delay_seconds=0.3)), "completed")
    assert row.attempted_at is not None
    assert 0 <= (row.attempted_at - row.scheduled_at).total_seconds() < 2


async def test_four_workers_run_each_of_a_thousand_jobs_once(engine: AsyncEngine) -> None:
    ran: list[int] = []

    async def note(task: Echo) -> dict[str, int]:
        ran.append(task.args["n"])
        return {}

    async with transaction(engine) as connection:
        await queue.enqueue_many(connection, ECHO, [{"n": n} for n in range(1_000)])
    async with started(*(worker(engine, [bind(ECHO, note)], f"worker {n}") for n in range(4))):
        await eventually(lambda: len(ran) >= 1_000, 20)
    assert sorted(ran) == [*range(1_000)]
    assert await scalar(engine, "SELECT count(*) FROM oban_jobs WHERE state = 'completed'") == 1_000
    assert await scalar(engine, "SELECT count(DISTINCT attempted_by[1]) FROM oban_jobs") == 4


async def test_what_people_write_into_the_table_by_hand_is_survived(engine: AsyncEngine) -> None:
    made = await put(engine)
    await execute(engine, "UPDATE oban_jobs SET meta = '[1]'")
    async with working(engine, echo):
        await execute(engine, "SELECT pg_notify('flocklore_jobs', 'look!')")
        await becomes(engine, made, "completed")


async def test_of_a_queue_runs_at_most_its_limit_also_when_that_changes(engine: AsyncEngine) -> None:
    gate = Gate()
    async with working(engine, gate) as one:
        for number in range(8):
            await put(engine, number, Options(queue="training"))
        await gate.holds(2)
        assert one.load == 2
        async with transaction(engine) as connection:
            await queues.rescale_queue(connection, "training", 5)
        await gate.holds(5)
        assert one.load == 5
        gate.open.set()
        await gate.holds(8)


async def test_a_paused_queue_begins_nothing_until_it_is_resumed(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await queues.pause_queue(connection, "default")
    async with working(engine, echo):
        paused = await put(engine)
        await becomes(engine, await put(engine, options=Options(queue="metrics")), "completed")
        assert (await job(engine, paused)).state == "available"
        async with transaction(engine) as connection:
            await queues.resume_queue(connection, "default")
        await becomes(engine, paused, "completed", 2)


async def test_a_paused_worker_begins_nothing_until_it_goes_on(engine: AsyncEngine) -> None:
    async with working(engine, echo):
        async with transaction(engine) as connection:
            await workers.set_status(connection, "one", "paused")
        made = await put(engine)
        async with working(engine, echo, "two", queues={"metrics": 1}):
            await becomes(engine, await put(engine, options=Options(queue="metrics")), "completed")
        assert (await job(engine, made)).state == "available"
        async with transaction(engine) as connection:
            await workers.set_status(connection, "one", "online")
        await becomes(engine, made, "completed", 2)


async def test_a_worker_serves_the_queues_it_is_told_to(engine: AsyncEngine) -> None:
    elsewhere = await put(engine)
    async with working(engine, echo, queues={"metrics": 1}), working(engine, echo, "idle", queues={}):
        await becomes(engine, await put(engine, options=Options(queue="metrics")), "completed")
        assert (await job(engine, elsewhere)).state == "available"


async def test_cancelling_a_job_that_runs_ends_it(engine: AsyncEngine) -> None:
    gate = Gate()
    async with working(engine, gate, beat_seconds=1.3):
        made = await put(engine, 3)
        await gate.holds(1)
        async with transaction(engine) as connection:
            assert await queue.cancel(connection, [made]) == 1
        await eventually(lambda: gate.cancelled == [3], 1.0)
    row = await job(engine, made)
    assert (row.state, row.errors) == ("cancelled", [])


async def test_a_handler_that_ends_well_although_it_was_cancelled_changes_nothing(engine: AsyncEngine) -> None:
    begun = asyncio.Event()

    async def stubborn(task: Echo) -> dict[str, int]:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return task.args
        return {}

    async with working(engine, stubborn) as one:
        made = await put(engine)
        await asyncio.wait_for(begun.wait(), 5)
        async with transaction(engine) as connection:
            await queue.cancel(connection, [made])
        await eventually(lambda: one.load == 0)
    row = await job(engine, made)
    assert (row.state, row.result) == ("cancelled", None)
