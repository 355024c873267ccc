"""Putting jobs on the queue and taking them off again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import NoneType

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import NotFoundError, UsageError
from shared.jobs import listing, queue, queues
from shared.jobs.kinds import Kind
from shared.jobs.queue import Enqueued, Options
from tests.support.jobs import ECHO, empty_queue, execute, job, put
from tests.support.patterns import scalar

TEXT = Kind("text", dict[str, str], NoneType)


@pytest.fixture
async def engine(postgres: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    async with empty_queue(postgres) as engine:
        yield engine


async def test_a_job_is_there_when_the_transaction_is_and_not_otherwise(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await queue.enqueue(connection, ECHO, {"n": 1})
        await connection.rollback()
    assert await scalar(engine, "SELECT count(*) FROM oban_jobs") == 0
    row = await job(engine, await put(engine, 2, Options(priority=3, tags=("a", "b"), meta={"why": "x"}, tenant="t")))
    assert (row.state, row.queue, row.kind, row.args) == ("available", "default", "echo", {"n": 2})
    assert (row.priority, row.tags, row.meta, row.tenant) == (3, ["a", "b"], {"why": "x"}, "t")
    assert (row.attempt, row.attempts_max, row.errors, row.worker) == (0, 20, [], None)


async def test_a_queue_that_there_is_not_is_refused_and_the_others_named(engine: AsyncEngine) -> None:
    with pytest.raises(UsageError, match="no queue is called traning; there are default, metrics, pattern_mining, tr"):
        await put(engine, options=Options(queue="traning"))
    async with transaction(engine) as connection:
        with pytest.raises(UsageError, match="no queue"):
            await queue.enqueue_many(connection, replace(ECHO, queue="traning"), [{}])


async def test_of_a_unique_key_there_is_one_unfinished_job_of_a_kind(engine: AsyncEngine) -> None:
    options, other = Options(unique_key="k"), replace(ECHO, name="other")
    async with transaction(engine) as connection:
        first = await queue.enqueue(connection, ECHO, {}, options)
        assert await queue.enqueue(connection, ECHO, {}, options) == Enqueued(first.id, is_new=False)
        assert (await queue.enqueue(connection, other, {}, options)).is_new
        await queue.cancel(connection, [first.id])
        second = await queue.enqueue(connection, ECHO, {}, options)
        assert second.is_new
        assert await queue.retry(connection, [first.id]) == 0
        await queue.cancel(connection, [second.id])
        assert await queue.retry(connection, [first.id, second.id]) == 1


async def test_of_an_idempotency_key_there_is_one_job_ever(engine: AsyncEngine) -> None:
    options = Options(idempotency_key="k")
    async with transaction(engine) as connection:
        first = await queue.enqueue(connection, ECHO, {}, options)
        await queue.cancel(connection, [first.id])
        assert await queue.enqueue(connection, ECHO, {}, options) == Enqueued(first.id, is_new=False)
        keys = ["a", "b", "k", "a"]
        assert await queue.enqueue_many(connection, ECHO, [{"n": n} for n in range(4)], idempotency_keys=keys) == 2


async def test_two_transactions_with_one_key_make_one_job(engine: AsyncEngine) -> None:
    async with engine.connect() as one, engine.connect() as other:
        async with one.begin():
            first = await queue.enqueue(one, ECHO, {}, Options(unique_key="k"))
        async with other.begin():
            assert await queue.enqueue(other, ECHO, {}, Options(unique_key="k")) == Enqueued(first.id, is_new=False)


async def test_many_at_once(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        assert (
            await queue.enqueue_many(connection, ECHO, [{"n": n} for n in range(2_500)], Options(priority=1)) == 2_500
        )
        assert await queue.enqueue_many(connection, ECHO, []) == 0
        with pytest.raises(UsageError, match="idempotency_keys"):
            await queue.enqueue_many(connection, ECHO, [{}, {}], Options(unique_key="k"))
        with pytest.raises(UsageError, match="one for each"):
            await queue.enqueue_many(connection, ECHO, [{}, {}], idempotency_keys=["a"])
    assert await scalar(engine, "SELECT sum((args->>'n')::int) FROM oban_jobs WHERE priority = 1") == 2_499 * 1_250


async def test_what_is_for_later_is_scheduled(engine: AsyncEngine) -> None:
    hour = timedelta(hours=1)
    later = await job(engine, await put(engine, options=Options(delay_seconds=3600)))
    assert later.state == "scheduled"
    assert later.scheduled_at - later.inserted_at == pytest.approx(hour, abs=timedelta(seconds=5))
    at = datetime.now(UTC) + hour
    assert (await job(engine, await put(engine, options=Options(at=at)))).scheduled_at == at
    assert (await job(engine, await put(engine, options=Options(at=at - 2 * hour)))).state == "available"


@pytest.mark.parametrize("text", ["a\0b", "\\\0", "\ud800"])
async def test_what_jsonb_cannot_hold_is_refused_before(engine: AsyncEngine, text: str) -> None:
    async with transaction(engine) as connection:
        with pytest.raises(UsageError):
            await queue.enqueue(connection, TEXT, {"text": text})
        made = await queue.enqueue(connection, TEXT, {"text": "\\u0000 is no NUL"})
    assert (await job(engine, made.id)).args == {"text": "\\u0000 is no NUL"}


async def test_cancel_and_retry_say_how_many(engine: AsyncEngine) -> None:
    ids = [await put(engine, n) for n in range(3)]
    await execute(engine, "UPDATE oban_jobs SET state = 'completed', completed_at = now() WHERE id = :id", id=ids[2])
    async with transaction(engine) as connection:
        assert await queue.cancel(connection, [*ids, 10_000]) == 2
        assert await queue.cancel(connection, ids) == 0
        assert await queue.retry(connection, [*ids, 10_000]) == 3
    assert [(await job(engine, i)).state for i in ids] == ["available"] * 3
    assert (await job(engine, ids[0])).finished_at is None


async def test_a_discarded_job_that_is_retried_has_an_attempt_left(engine: AsyncEngine) -> None:
    made = await put(engine)
    await execute(engine, "UPDATE oban_jobs SET state = 'discarded', discarded_at = now(), attempt = 20")
    async with transaction(engine) as connection:
        await queue.retry(connection, [made])
    row = await job(engine, made)
    assert (row.attempt, row.attempts_max) == (20, 21)


async def test_pruning_takes_what_finished_long_ago_and_no_more_than_asked(engine: AsyncEngine) -> None:
    ids = [await put(engine, n) for n in range(6)]
    for state, column in (("completed", "completed_at"), ("discarded", "discarded_at"), ("cancelled", "cancelled_at")):
        done = f"UPDATE oban_jobs SET state = '{state}', {column} = now() - interval '2 h' WHERE id = :id"  # noqa: S608
        await execute(engine, done, id=ids.pop())
    await execute(engine, "UPDATE oban_jobs SET state = 'completed', completed_at = now() WHERE id = :id", id=ids[0])
    async with transaction(engine) as connection:
        assert await queue.prune(connection, kept_seconds=3600, limit=2) == 2
        assert await queue.prune(connection, kept_seconds=3600) == 1
        assert await queue.prune(connection, kept_seconds=3600) == 0
    assert await scalar(engine, "SELECT count(*) FROM oban_jobs") == 3


async def test_listing_and_counting(engine: AsyncEngine) -> None:
    ids = [await put(engine, n, Options(queue="metrics" if n % 2 else None, tenant=f"t{n % 3}")) for n in range(6)]
    async with transaction(engine) as connection:
        await queue.cancel(connection, ids[:1])
        assert [row.id for row in await listing.list_jobs(connection, limit=2)] == [ids[5], ids[4]]
        assert [row.id for row in await listing.list_jobs(connection, limit=2, before=ids[4])] == [ids[3], ids[2]]
        assert [row.id for row in await listing.list_jobs(connection, states=["cancelled"])] == [ids[0]]
        assert [row.id for row in await listing.list_jobs(connection, queue="metrics", tenant="t0")] == [ids[3]]
        assert await listing.list_jobs(connection, kind="other") == []
        assert await listing.counts(connection) == {
            "default": {"available": 2, "cancelled": 1},
            "metrics": {"available": 3},
        }
        assert await listing.get(connection, 10_000) is None


async def test_the_queues_there_are(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        limits = {row.name: row.limit_per_worker for row in await queues.queues(connection)}
        assert limits == {"default": 10, "metrics": 5, "pattern_mining": 3, "training": 2}
        await queues.pause_queue(connection, "training")
        await queues.rescale_queue(connection, "metrics", 7)
        changed = {row.name: row for row in await queues.queues(connection)}
        assert changed["training"].paused
        assert changed["metrics"].limit_per_worker == 7
        await queues.resume_queue(connection, "training")
        with pytest.raises(NotFoundError, match="no queue is called mining; there are default"):
            await queues.pause_queue(connection, "mining")
        with pytest.raises(UsageError, match="between 0 and 1000"):
            await queues.rescale_queue(connection, "metrics", -1)


@pytest.mark.parametrize(
    "wrong",
    [{"priority": 10}, {"attempts_max": 0}, {"at": datetime(2030, 1, 1)}],  # noqa: DTZ001 - that is wrong
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Options(**wrong)  # type: ignore[arg-type]
