"""Workflows on real workers: chains, diamonds, maps; keys, tenants and lists."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from shared.database import transaction
from shared.errors import NotFoundError, UsageError
from shared.workflows import runs
from tests.support.databases import instance_engine
from tests.support.workflows import Order, at_work, diamond, ended, rows, start, study


async def test_a_map_between_two_steps_keeps_its_order(database_url: str) -> None:
    async with at_work(database_url) as (engine, desk):
        run = await ended(engine, await start(engine, study, Order(25)))
        assert (run.status, run.error) == ("completed", None)
        assert run.output == f"25 batches: {[index * 10 for index in range(25)]}"
        assert [(step.step, step.status, step.completed, step.attempts) for step in run.steps] == [
            ("scan", "completed", 1, 1), ("mine", "completed", 25, 25), ("publish", "completed", 1, 1),
        ]  # fmt: skip
        assert desk.calls == {"scan": 1, "mine": 25, "publish": 1}
        claims = await rows(engine, "SELECT DISTINCT claimed_by, claimed_at IS NULL, attempts_count FROM step_tasks")
        assert claims == [("w", False, 1)]
        assert await rows(engine, "SELECT DISTINCT remaining_deps, remaining_tasks FROM step_states") == [(0, 0)]
        assert await rows(engine, "SELECT DISTINCT state::text, queue FROM oban_jobs ORDER BY queue") == [
            ("completed", "default"), ("completed", "pattern_mining"),
        ]  # fmt: skip


async def test_a_diamond_waits_for_both_sides(database_url: str) -> None:
    async with at_work(database_url) as (engine, _):
        run = await ended(engine, await start(engine, diamond, 5))
        assert run.output == {"left": 6, "right": 7, "input": 5}


async def test_a_map_over_nothing_is_complete_at_once(database_url: str) -> None:
    async with at_work(database_url) as (engine, desk):
        run = await ended(engine, await start(engine, study, Order(0)))
        assert run.output == "0 batches: []"
        assert desk.calls == {"scan": 1, "publish": 1}


async def test_the_same_key_is_the_same_run(database_url: str) -> None:
    async with instance_engine(database_url) as engine:

        async def begin() -> runs.Started:
            async with transaction(engine) as connection:
                return await runs.start(connection, study, Order(1), idempotency_key="monday")

        several = await asyncio.gather(*(begin() for _ in range(4)))
        assert len({one.run_id for one in several}) == 1
        assert sum(one.is_new for one in several) == 1
        assert await rows(engine, "SELECT count(*) FROM oban_jobs") == [(1,)]
        assert await start(engine, diamond, 1, idempotency_key="monday") != several[0].run_id
        assert await start(engine, study, Order(1), idempotency_key="monday", tenant="other") != several[0].run_id
        assert await start(engine, study, Order(1)) != await start(engine, study, Order(1))


async def test_every_row_has_its_tenant(database_url: str) -> None:
    async with at_work(database_url) as (engine, _):
        ours = await start(engine, study, Order(2), tenant="ours")
        theirs = await start(engine, study, Order(2), tenant="theirs", idempotency_key="a")
        await ended(engine, ours)
        await ended(engine, theirs)
        for table in ("workflow_runs", "step_states", "step_tasks", "oban_jobs"):
            assert await rows(engine, f"SELECT DISTINCT tenant_id FROM {table} ORDER BY 1") == [("ours",), ("theirs",)]  # noqa: S608
        async with transaction(engine) as connection:
            assert [run.id for run in await runs.list_runs(connection, tenant="ours")] == [ours]


async def test_runs_are_listed_the_newest_first_and_pruned(database_url: str) -> None:
    async with at_work(database_url) as (engine, _):
        first, second = await start(engine, diamond, 1), await start(engine, study, Order(1, "fail"))
        await ended(engine, first)
        await ended(engine, second)
        async with transaction(engine) as connection:
            assert [run.id for run in await runs.list_runs(connection)] == [second, first]
            assert [run.id for run in await runs.list_runs(connection, workflow="diamond")] == [first]
            assert [run.id for run in await runs.list_runs(connection, status="failed", limit=1)] == [second]
            with pytest.raises(UsageError, match="never done; it is started"):
                await runs.list_runs(connection, status="done")  # type: ignore[arg-type]
            assert await runs.prune(connection, kept_seconds=3600) == 0
            assert await runs.prune(connection, kept_seconds=0) == 2
            assert await runs.get(connection, first) is None
            with pytest.raises(NotFoundError, match=str(first)):
                await runs.cancel(connection, first)
        assert await rows(engine, "SELECT FROM step_tasks") == []


async def test_a_run_starts_with_the_rows_it_is_about_or_not_at_all(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        async with engine.connect() as connection:
            await runs.start(connection, study, Order(1))
            await connection.rollback()
        assert await rows(engine, "SELECT FROM workflow_runs") == await rows(engine, "SELECT FROM oban_jobs") == []


async def test_several_workers_take_part(database_url: str) -> None:
    async with at_work(database_url, "a", "b") as (engine, desk):
        run = await ended(engine, await start(engine, study, Order(60)))
        assert run.status == "completed"
        assert desk.calls["mine"] == 60
        assert len(await rows(engine, "SELECT DISTINCT claimed_by FROM step_tasks")) == 2


async def test_there_is_no_such_run(database_url: str) -> None:
    async with instance_engine(database_url) as engine, transaction(engine) as connection:
        assert await runs.get(connection, uuid4()) is None
