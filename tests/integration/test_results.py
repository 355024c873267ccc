"""Results of jobs in the database of an instance: recorded once, labelled late, counted once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.store import outbox, result_states, results
from instance.store.results import JobResult, Label, Status
from instance.sync.results import say_results
from shared.database import transaction
from shared.results import merge
from tests.support.databases import instance_engine
from tests.support.patterns import scalar

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
SAID = "SELECT count(*) FROM outbox"


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with instance_engine(database_url) as engine:
        async with transaction(engine) as connection:
            await outbox.prepare(connection)
            await outbox.start_sharing(connection)
        yield engine


def result(number: int, **changes: object) -> JobResult:
    fields: dict[str, object] = {
        "job_type": "tests", "status": "success", "completed_at": NOON, "duration_ms": 100 + number,
        "cost_cents": Decimal(number) / 1000, "input_tokens": number, "source": "test", "external_id": str(number),
    }  # fmt: skip
    return JobResult(**fields | changes)  # type: ignore[arg-type]  # fields by name


async def record(engine: AsyncEngine, *recorded: JobResult) -> list[int]:
    """Record results, and return the ids of those that have an external one."""
    async with transaction(engine) as connection:
        await results.record_many(connection, recorded)
        found = [await results.find(connection, one.source, one.external_id or "") for one in recorded]
    return [one for one in found if one is not None]


async def label(engine: AsyncEngine, ids: list[int], status: Status, *, source: str = "ci", hours: float = 1) -> int:
    async with transaction(engine) as connection:
        return await results.label(connection, ids, Label(status, source, NOON + timedelta(hours=hours)))


async def sums(engine: AsyncEngine) -> tuple[int, int, int, int]:
    """Results, succeeded, failed and micro-cents of all states."""
    async with transaction(engine) as connection:
        days = [row[0] for row in await connection.execute(text("SELECT DISTINCT day FROM result_states"))]
        found = merge(state.sums for state in await result_states.of_days(connection, days))
    return found.results, found.succeeded, found.failed, found.cost_microcents


async def rows(engine: AsyncEngine, statement: str) -> list[tuple[object, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(statement))]


async def test_what_a_source_calls_the_same_is_recorded_once(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        assert await results.record(connection, result(1))
        assert not await results.record(connection, result(1, status="failed"))
        assert await results.record(connection, result(1, source="elsewhere"))
        assert await results.record_many(connection, [result(1), result(2), result(2)]) == 1
        assert await results.record_many(connection, [result(0, external_id=None)] * 2) == 2
    assert await scalar(engine, "SELECT count(*) FROM job_results") == 5


async def test_unknown_is_not_zero(engine: AsyncEngine) -> None:
    await record(engine, JobResult(job_type="tests", error="a\0b", external_id="bare"))
    await record(engine, result(7, cache_read_tokens=3, output_tokens=5))
    assert await rows(engine, "SELECT success, cost_cents, tokens_used FROM job_results ORDER BY id") == [
        (None, None, None),
        (True, Decimal("0.007000"), 15),
    ]
    await say_results(engine)
    assert await rows(
        engine, "SELECT sum((sums->>'results')::int), sum((sums->>'priced')::int) FROM result_states"
    ) == [(2, 1)]


async def test_facts_do_not_change(engine: AsyncEngine) -> None:
    await record(engine, result(1))
    for change in ("cost_cents = 5", "completed_at = now()", "job_type = 'x'"):
        with pytest.raises(DBAPIError, match="does not change"):
            async with transaction(engine) as connection:
                await connection.execute(text(f"UPDATE job_results SET {change}"))  # noqa: S608 - the examples


async def test_the_latest_label_stands_in_whatever_order_they_arrive(engine: AsyncEngine) -> None:
    ids = await record(engine, result(1), result(2))
    assert await label(engine, ids, "failed", source="revert", hours=5) == 2
    assert await label(engine, ids, "success", source="ci", hours=2) == 0, "found out before, told after"
    assert await label(engine, ids[:1], "success", source="ci", hours=9) == 1
    assert await label(engine, ids[:1], "success", source="ci", hours=9) == 0, "said before"
    assert await rows(engine, "SELECT status, label_source FROM job_results ORDER BY external_id") == [
        ("success", "ci"),
        ("failed", "revert"),
    ]
    assert await scalar(engine, "SELECT count(*) FROM job_result_labels") == 5


async def test_a_label_from_a_clock_that_is_behind_counts(engine: AsyncEngine) -> None:
    ids = await record(engine, result(1, status="unlabelled"))
    assert await label(engine, ids, "failed", hours=-3) == 1
    assert await rows(engine, "SELECT success FROM job_results") == [(False,)]


async def test_labels_at_the_same_moment_leave_the_latest(engine: AsyncEngine) -> None:
    ids = await record(engine, *map(result, range(20)))
    statuses: list[Status] = ["success", "failed", "unlabelled", "failed"]
    await asyncio.gather(*(label(engine, ids[::-1], one, hours=hour) for hour, one in enumerate(statuses)))
    assert await rows(engine, "SELECT DISTINCT status, labelled_at FROM job_results") == [
        ("failed", NOON + timedelta(hours=3))
    ]


async def test_only_what_changed_is_said(engine: AsyncEngine) -> None:
    ids = await record(engine, result(1), result(2, job_type="docs"), result(3, completed_at=NOON - timedelta(days=1)))
    assert await say_results(engine) == 3
    assert await say_results(engine) == 0
    await label(engine, ids[:1], "failed")
    assert await say_results(engine) == 1
    assert await rows(engine, "SELECT day::text, job_type, version FROM result_states ORDER BY 1, 2") == [
        ("2026-03-13", "tests", 1),
        ("2026-03-14", "docs", 1),
        ("2026-03-14", "tests", 2),
    ]
    assert await scalar(engine, SAID) == 4


async def test_a_label_moves_the_sums_and_a_correction_moves_them_back(engine: AsyncEngine) -> None:
    ids = await record(engine, *map(result, range(10)))
    await say_results(engine)
    before = await sums(engine)
    await label(engine, ids[:4], "failed", hours=1)
    await say_results(engine)
    assert await sums(engine) == (10, 6, 4, before[3])
    await label(engine, ids[:4], "success", hours=2)
    await say_results(engine)
    assert await sums(engine) == before


async def test_an_isolated_instance_counts_and_says_nothing(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        async with transaction(engine) as connection:
            await outbox.prepare(connection)
        await record(engine, result(1))
        assert await say_results(engine) == 1
        assert await scalar(engine, SAID) == 0


async def test_a_transaction_that_commits_late_is_counted(engine: AsyncEngine) -> None:
    async with transaction(engine) as late:
        await results.record(late, result(1))
        await record(engine, result(2))
        await say_results(engine)
        assert (await sums(engine))[0] == 1
    assert await say_results(engine) == 1
    assert await sums(engine) == (2, 2, 0, 3000)


async def test_a_row_that_is_being_labelled_waits_and_is_not_waited_for(engine: AsyncEngine) -> None:
    ids = await record(engine, result(1), result(2))
    async with transaction(engine) as slow:
        await results.label(slow, ids[:1], Label("failed", "ci", NOON))
        await asyncio.wait_for(say_results(engine), 5)
        assert await sums(engine) == (1, 1, 0, 2000)
    await say_results(engine)
    assert await sums(engine) == (2, 1, 1, 3000)


async def test_writers_and_ticks_at_the_same_time_lose_and_repeat_nothing(engine: AsyncEngine) -> None:
    writers, each = 6, 25
    busy = True

    async def write(writer: int) -> None:
        for number in range(each):
            ids = await record(engine, result(writer * each + number, job_type=f"job-{number % 3}"))
            await label(engine, ids, "failed" if number % 5 == 0 else "success")

    async def tick() -> None:
        while busy:
            await say_results(engine)

    ticks = [asyncio.create_task(tick()) for _ in range(2)]
    await asyncio.gather(*map(write, range(writers)))
    busy = False
    await asyncio.gather(*ticks)
    await say_results(engine)
    total = writers * each
    assert await sums(engine) == (total, total * 4 // 5, total // 5, 1000 * sum(range(total)))
    assert await scalar(engine, "SELECT sum(version) FROM result_states") == await scalar(engine, SAID)


async def test_pruned_results_stay_in_the_sums_and_are_not_recorded_again(engine: AsyncEngine) -> None:
    await record(engine, *map(result, range(5)))
    async with transaction(engine) as connection:
        assert await results.prune(connection, days=0) == 0, "nothing that is uncounted"
    await say_results(engine)
    before = await sums(engine)
    async with transaction(engine) as connection:
        assert await results.prune(connection, days=0, limit=4) == 4
        assert await results.record_many(connection, [result(number) for number in range(5)]) == 0
    await record(engine, result(5))
    await say_results(engine)
    assert await sums(engine) == (6, 6, 0, before[3] + 5000)


async def test_the_statements_people_know_run(engine: AsyncEngine) -> None:
    now = datetime.now(UTC)
    await record(
        engine,
        result(100, completed_at=now, instance_id="instance_a", cost_cents=Decimal("2.5")),
        result(101, completed_at=now, instance_id="instance_a", cost_cents=Decimal("3.5")),
        result(102, completed_at=now - timedelta(hours=2), instance_id="instance_a"),
    )
    assert await rows(
        engine,
        """
  SELECT instance_id, job_type, success, AVG(cost_cents) as avg_cost
  FROM job_results
  WHERE completed_at > NOW() - '1 hour'::interval
  GROUP BY instance_id, job_type, success
  ORDER BY instance_id, job_type;
""",
    ) == [("instance_a", "tests", True, Decimal(3))]
    await say_results(engine)
    async with transaction(engine) as connection:
        await connection.execute(
            text("INSERT INTO identity (tenant, instance_id, holder) VALUES ('default', 'a', repeat('0', 32))")
        )
    sent = await rows(
        engine,
        """
  SELECT msg_id, queue_name, enqueued_at, message->'instance_id' as source
  FROM pgmq.q_centralcloud_updates
  ORDER BY enqueued_at DESC LIMIT 10;
""",
    )
    assert {row[3] for row in sent} == {"a"}
    await rows(
        engine,
        """
  SELECT msg_id, enqueued_at, message->'type' as learning_type
  FROM pgmq.q_instance_learning
  ORDER BY enqueued_at DESC LIMIT 10;
""",
    )
