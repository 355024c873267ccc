"""Locks by name: held for a block, waited for, seen, taken away, remembered."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import grants
from shared.database import transaction
from shared.errors import AlreadyRunningError, NotFoundError, UsageError
from shared.grants import PastGrant
from shared.lease import LeaseLostError
from shared.locks import force_release, history, list_locks, lock
from tests.support.databases import instance_engine
from tests.support.patterns import scalar


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with instance_engine(database_url) as engine:
        yield engine


async def past(engine: AsyncEngine, name: str | None = None) -> list[PastGrant]:
    async with transaction(engine) as connection:
        return await history(connection, name)


async def test_it_is_held_for_the_block_and_seen(engine: AsyncEngine) -> None:
    async with lock(engine, "config") as held:
        async with transaction(engine) as connection:
            await held.fence(connection)
            (seen,) = await list_locks(connection)
        assert (seen.lock_name, seen.epoch, seen.pid) == ("config", held.epoch, os.getpid())
        assert 25 < seen.remaining_seconds <= 30
        assert [(one.epoch, one.ended) for one in await past(engine)] == [(held.epoch, None)]
        with pytest.raises(AlreadyRunningError, match="config is held by process"):
            await lock(engine, "config").__aenter__()
    async with transaction(engine) as connection:
        assert await list_locks(connection) == []
        with pytest.raises(LeaseLostError):
            await held.fence(connection)
    assert [(one.epoch, one.ended) for one in await past(engine)] == [(held.epoch, "released")]


async def test_others_wait_their_time_and_get_it_one_by_one(engine: AsyncEngine) -> None:
    inside, most = 0, 0

    async def work() -> int:
        nonlocal inside, most
        async with lock(engine, "registry:sync", wait_seconds=20) as held:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            return held.epoch

    epochs = await asyncio.gather(*(work() for _ in range(5)))
    assert most == 1
    assert len(set(epochs)) == 5
    assert [one.epoch for one in await past(engine)] == sorted(epochs, reverse=True)
    async with lock(engine, "registry:sync"):
        with pytest.raises(AlreadyRunningError):
            async with lock(engine, "registry:sync", wait_seconds=0.3):
                pytest.fail("two held it")


async def test_it_is_not_entered_twice(engine: AsyncEngine) -> None:
    one = lock(engine, "config", wait_seconds=600)
    async with one:
        with pytest.raises(UsageError, match="config is held here already"):
            await one.__aenter__()
    async with one as held:
        assert held.running


async def test_a_lock_taken_away_is_lost_at_once_and_fenced(engine: AsyncEngine) -> None:
    one = lock(engine, "model:router", ttl_seconds=0.5)
    held = await one.__aenter__()
    async with transaction(engine) as connection:
        taken = await force_release(connection, "model:router")
    assert (taken.epoch, taken.pid) == (held.epoch, os.getpid())
    async with transaction(engine) as connection:
        with pytest.raises(LeaseLostError):
            await held.fence(connection)
    async with lock(engine, "model:router") as other:
        assert other.is_failover
    await asyncio.wait_for(held.lost.wait(), 5)
    with pytest.raises(LeaseLostError, match="lost meanwhile"):
        await one.__aexit__(None, None, None)
    assert [one.ended for one in await past(engine, "model:router")] == ["released", "forced"]


async def test_a_living_holder_keeps_it_unless_forced(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        with pytest.raises(NotFoundError, match="nobody holds"):
            await force_release(connection, "config")
    async with lock(engine, "config"), transaction(engine) as connection:
        with pytest.raises(AlreadyRunningError, match="--force"):
            await force_release(connection, "config", even_if_alive=False)


async def test_a_lock_can_be_taken_from_a_holder_frozen_inside_a_transaction(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.lease.BLOCKED_SECONDS", 0.1)
    async with lock(engine, "config") as held:
        async with engine.connect() as frozen:
            await held.fence(frozen)
            async with transaction(engine) as connection:
                await asyncio.wait_for(force_release(connection, "config"), 5)
            await frozen.invalidate()
        held.lost.clear()


async def test_an_error_of_the_block_is_not_covered_up(engine: AsyncEngine) -> None:
    async def fail() -> None:
        async with lock(engine, "config", ttl_seconds=0.3) as held:
            async with transaction(engine) as connection:
                await force_release(connection, "config")
            await held.lost.wait()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()


async def test_history_tells_failovers_and_whether_two_ever_held_it_at_once(engine: AsyncEngine) -> None:
    async with lock(engine, "orchestrator:leader"):
        pass
    async with transaction(engine) as connection:
        assert await grants.failovers(connection, "orchestrator:leader") == 0
        assert await grants.overlapping(connection, 3600) == []
        await connection.execute(
            text("UPDATE lock_history SET acquired_at = now() - interval '1 min', ended_at = now(), ended = 'expired'")
        )
    assert (await past(engine))[0].ended == "expired"
    async with lock(engine, "orchestrator:leader"), transaction(engine) as connection:
        assert await grants.failovers(connection, "orchestrator:leader") == 1
        assert await grants.overlapping(connection, 3600) == []
        await connection.execute(
            text("UPDATE lock_history SET ended_at = now() + interval '1 min' WHERE ended = 'expired'")
        )
        assert await grants.overlapping(connection, 3600) == ["orchestrator:leader"]


async def test_the_statements_of_the_seeds_run_as_they_are(engine: AsyncEngine) -> None:
    async with lock(engine, "agent"), transaction(engine) as connection:
        shown = await connection.execute(
            text("SELECT * FROM distributed_locks WHERE expires_at > NOW() ORDER BY acquired_at;")
        )
        assert [row.lock_name for row in shown] == ["agent"]
        assert (await connection.execute(text("DELETE FROM distributed_locks WHERE expires_at < NOW();"))).rowcount == 0
        twice = await connection.execute(
            text(
                "SELECT lock_name, COUNT(*) as instances FROM distributed_locks GROUP BY lock_name HAVING COUNT(*) > 1;"
            )
        )
        assert twice.all() == []


async def test_what_nobody_wants_any_more_is_cleared_away(engine: AsyncEngine) -> None:
    async with lock(engine, "schedule:one"):
        pass
    async with lock(engine, "schedule:dead") as dead, transaction(engine) as connection:
        await connection.execute(
            text("UPDATE distributed_locks SET expires_at = now() - interval '2 h'"),
        )
        assert await grants.drop_expired(connection, 3600) == 1
        assert await grants.forget(connection, "schedule:", 3600) == 1, "the one that ended two hours ago"
        held = await grants.is_valid(connection, "schedule:dead", dead.epoch)
        dead.lost.clear()
    assert not held
    assert await scalar(engine, "SELECT string_agg(lock_name, ',') FROM lock_history") == "schedule:one"
