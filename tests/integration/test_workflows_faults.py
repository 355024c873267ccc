"""What a run survives, and what it notices: workers and jobs that are gone, a database that was away, effects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.workflows import runs
from shared.workflows.definition import Workflow
from shared.workflows.sweep import Sweep, sweep
from shared.workflows.task import Task
from tests.support.databases import instance_engine
from tests.support.lifecycle import started, stress
from tests.support.wait import eventually
from tests.support.workflows import Desk, Order, at_work, ended, look, rows, start, study, wait

_EFFECTS = text("CREATE TABLE effects (attempt integer)")

careful = Workflow("careful", str)


@careful.step(attempts_max=2, backoff=lambda _attempt: 0.0)
async def act(desk: Desk, input: str, task: Task) -> int:
    """Have an effect once, whatever happens."""

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(text("INSERT INTO effects VALUES (:attempt)"), {"attempt": task.attempt})
        if input == "fail once" and task.attempt == 1:
            raise ValueError("after the effect")

    task.also(write)
    if input == "wait":
        await wait(desk)
    return "no number" if input == "lie" else task.attempt  # type: ignore[return-value]


@careful.step(timeout_seconds=0.05, attempts_max=1)
async def hurry(desk: Desk, act: int, input: str) -> int:
    """Take too long, if asked to."""
    if input == "dawdle":
        await asyncio.Event().wait()
    return act


async def set_job(engine: AsyncEngine, assignments: str) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text(f"UPDATE oban_jobs SET {assignments}"))  # noqa: S608 - of this file


async def test_an_effect_happens_with_the_end_of_its_task(database_url: str) -> None:
    async with at_work(database_url, more=[careful]) as (engine, _):
        async with transaction(engine) as connection:
            await connection.execute(_EFFECTS)
        run = await ended(engine, await start(engine, careful, "fail once"))
        assert run.output == 2
        assert await rows(engine, "SELECT attempt FROM effects") == [(2,)]


async def test_no_effect_of_a_run_that_was_ended_meanwhile(database_url: str) -> None:
    async with at_work(database_url, more=[careful]) as (engine, desk):
        async with transaction(engine) as connection:
            await connection.execute(_EFFECTS)
        run = await start(engine, careful, "wait")
        await eventually(desk.at_work.is_set)
        async with transaction(engine) as connection:
            await connection.execute(text("UPDATE workflow_runs SET status = 'cancelled'"))
            await connection.execute(text("UPDATE workflow_step_states SET status = 'cancelled'"))
            await connection.execute(text("UPDATE workflow_step_tasks SET status = 'cancelled'"))
        desk.go_on.set()

        async def cancelled() -> bool:
            return await rows(engine, "SELECT state::text FROM oban_jobs") == [("cancelled",)]

        await eventually(cancelled)
        assert await rows(engine, "SELECT FROM effects") == []
        assert (await look(engine, run)).output is None


@pytest.mark.parametrize(
    ("input", "why"),
    [
        (
            "lie",
            "step act, task 0: TypeError: it returned something else than it says: Expected `int`, got `str`",
        ),
        ("dawdle", "step hurry, task 0: TimeoutError: it took longer than 0.05 s"),
    ],
)
async def test_a_step_that_does_not_keep_its_word_fails(database_url: str, input: str, why: str) -> None:
    async with at_work(database_url, more=[careful]) as (engine, _):
        async with transaction(engine) as connection:
            await connection.execute(_EFFECTS)
        run = await ended(engine, await start(engine, careful, input))
        assert (run.status, run.error) == ("failed", why)


@pytest.mark.parametrize(
    ("assignments", "status", "why"),
    [
        ("state = 'discarded', errors = ARRAY['{\"error\": \"it died\"}'::jsonb]", "failed", "was discarded: it died"),
        ("state = 'cancelled'", "cancelled", "was cancelled"),
        ("idempotency_key = NULL", "failed", "its job is gone"),
    ],
)
async def test_the_sweep_ends_runs_whose_jobs_ended_without_them(
    database_url: str, assignments: str, status: str, why: str
) -> None:
    async with instance_engine(database_url) as engine:
        run, other = await start(engine, study, Order(1)), await start(engine, study, Order(1))
        assert await sweep(engine) == 0
        await set_job(engine, f"{assignments} WHERE args ->> 'run' = '{run}'")
        assert await sweep(engine) == 1
        found = await look(engine, run)
        assert found.status == status
        assert found.error is not None
        assert found.error.startswith("step scan, task 0: ")
        assert found.error.endswith(why)
        assert (await look(engine, other)).status == "started"
        assert await sweep(engine) == 0


async def test_the_sweep_queues_again_what_died_with_its_worker(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        await start(engine, study, Order(1))
        async with transaction(engine) as connection:
            await connection.execute(
                text("UPDATE workflow_step_tasks SET status = 'started', claimed_by = 'dead', claimed_at = now()")
            )
        await set_job(engine, "state = 'executing'")
        await sweep(engine)
        assert await rows(engine, "SELECT status, claimed_by FROM step_tasks") == [("started", "dead")]
        await set_job(engine, "state = 'available'")
        await sweep(engine)
        assert await rows(engine, "SELECT status, claimed_by FROM step_tasks") == [("queued", None)]


async def test_the_sweep_looks_by_itself(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        run = await start(engine, study, Order(1))
        await set_job(engine, "state = 'discarded'")
        async with started(Sweep(engine, every_seconds=0.05)):
            assert (await ended(engine, run)).status == "failed"
        await stress(Sweep(engine))


async def test_a_task_that_is_done_waits_for_the_database(own_postgres: Callable[[], EmbeddedPostgres]) -> None:
    server = own_postgres()
    server.ensure_database("one")
    async with at_work(server.dsn("one")) as (engine, desk):
        run = await start(engine, study, Order(2, "wait"))
        await eventually(desk.at_work.is_set)
        await asyncio.to_thread(server.stop)
        desk.go_on.set()
        await asyncio.to_thread(server.start)
        found = await ended(engine, run)
        assert found.output == "2 batches: [0, 10]"
        assert not desk.interrupted
        async with transaction(engine) as connection:
            assert await runs.get(connection, run) == found
