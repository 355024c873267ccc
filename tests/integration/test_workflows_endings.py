"""Every way a run may end early, and what becomes of its tasks and jobs."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from shared.database import transaction
from shared.jobs import queue
from shared.workflows import runs
from tests.support.wait import eventually
from tests.support.workflows import Order, at_work, ended, look, no_job_is_left, rows, start, study


async def test_a_task_whose_attempts_are_used_up_fails_the_run(database_url: str) -> None:
    async with at_work(database_url) as (engine, desk):
        run = await ended(engine, await start(engine, study, Order(4, "fail")))
        assert (run.status, run.output) == ("failed", None)
        assert run.error == "step mine, task 3: ValueError: a file without letters\\0"
        assert [(step.step, step.status) for step in run.steps] == [
            ("scan", "completed"), ("mine", "failed"), ("publish", "cancelled"),
        ]  # fmt: skip
        assert await rows(engine, "SELECT task_index, attempts_count, error_message FROM step_tasks"
                                  " WHERE status = 'failed'") == [
            (3, 3, "step mine, task 3: ValueError: a file without letters\\0"),
        ]  # fmt: skip
        await eventually(lambda: no_job_is_left(engine))
        assert await rows(engine, "SELECT attempt, cardinality(errors) FROM oban_jobs WHERE state = 'discarded'") == [
            (3, 3)
        ]
        assert desk.calls["publish"] == 0


async def test_a_failure_cancels_what_is_queued_and_what_runs(database_url: str) -> None:
    async with at_work(database_url) as (engine, desk):
        run = await start(engine, study, Order(1, "wait"))
        await eventually(desk.at_work.is_set)
        async with transaction(engine) as connection:
            assert await runs.cancel(connection, run, "changed our minds")
            assert not await runs.cancel(connection, run)
        await eventually(lambda: desk.interrupted)
        await eventually(lambda: no_job_is_left(engine))
        found = await look(engine, run)
        assert (found.status, found.error) == ("cancelled", "changed our minds")
        assert {step.step: step.status for step in found.steps} == {
            "scan": "completed", "mine": "cancelled", "publish": "cancelled",
        }  # fmt: skip
        assert await rows(engine, "SELECT state::text FROM oban_jobs WHERE worker = 'study.mine'") == [("cancelled",)]


async def test_an_attempt_that_failed_is_made_again(database_url: str) -> None:
    async with at_work(database_url) as (engine, desk):
        run = await ended(engine, await start(engine, study, Order(3, "fail twice")))
        assert run.output == "3 batches: [0, 10, 20]"
        assert [step.attempts for step in run.steps] == [1, 5, 1]
        assert desk.calls["mine"] == 5
        assert await rows(engine, "SELECT attempts_count, error_message FROM step_tasks WHERE task_index = 2") == [
            (3, None)
        ]


async def test_a_task_that_snoozes_does_not_use_up_an_attempt(database_url: str) -> None:
    async with at_work(database_url) as (engine, desk):
        run = await ended(engine, await start(engine, study, Order(2, "snooze")))
        assert run.output == "2 batches: [0, 10]"
        assert desk.calls["mine"] == 3
        assert await rows(engine, "SELECT DISTINCT attempts_count FROM step_tasks") == [(1,)]


@pytest.mark.parametrize(
    ("behaviour", "status", "why"),
    [("give up", "failed", "it is hopeless"), ("withdraw", "cancelled", "nobody wants it")],
)
async def test_a_step_may_end_the_run(database_url: str, behaviour: str, status: str, why: str) -> None:
    async with at_work(database_url) as (engine, desk):
        run = await ended(engine, await start(engine, study, Order(1, behaviour)))
        assert (run.status, run.error) == (status, f"step mine, task 0: {why}")
        await eventually(lambda: no_job_is_left(engine))
        assert desk.calls == {"scan": 1, "mine": 1, behaviour: 1}


async def test_a_cancellation_and_those_who_finish_do_not_wait_for_each_other(database_url: str) -> None:
    async with at_work(database_url, "a", "b") as (engine, desk):
        everything = [await start(engine, study, Order(40)) for _ in range(6)]

        async def cancel(run: UUID, after: int) -> None:
            await eventually(lambda: desk.calls["mine"] >= after)
            async with transaction(engine) as connection:
                await runs.cancel(connection, run)

        await asyncio.gather(*(cancel(run, 10 * index) for index, run in enumerate(everything)))
        for run in everything:
            assert (await ended(engine, run)).status in ("cancelled", "completed")
        await eventually(lambda: no_job_is_left(engine))
        unequal = await rows(
            engine,
            "SELECT t.status, j.state::text FROM step_tasks t FULL JOIN oban_jobs j USING (idempotency_key)"
            " WHERE t.status <> j.state::text",
        )
        assert unequal == []
        assert await rows(engine, "SELECT FROM oban_jobs WHERE state = 'discarded' OR cardinality(errors) > 1") == []


async def test_a_job_of_a_run_that_ended_is_not_done_though_somebody_retries_it(database_url: str) -> None:
    async with at_work(database_url) as (engine, desk):
        run = await ended(engine, await start(engine, study, Order(1, "give up")))
        await eventually(lambda: no_job_is_left(engine))
        async with transaction(engine) as connection:
            [(job,)] = await rows(engine, "SELECT id FROM oban_jobs WHERE state = 'discarded'")
            await queue.retry(connection, [job])
        state = f"SELECT state::text FROM oban_jobs WHERE id = {job}"  # noqa: S608

        async def cancelled() -> bool:
            return await rows(engine, state) == [("cancelled",)]

        await eventually(cancelled)
        assert desk.calls["mine"] == 1
        assert (await look(engine, run.id)).status == "failed"
