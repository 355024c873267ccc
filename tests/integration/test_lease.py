"""Leases: one holder, fenced, by the database's clock."""

from __future__ import annotations

import asyncio
import os
import socket
import time

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.errors import AlreadyRunningError, UnreachableError
from shared.lease import Lease, LeaseLostError, process_started
from tests.support.databases import instance_engine
from tests.support.lifecycle import stress
from tests.support.patterns import scalar
from tests.support.wait import eventually

LEFT = "SELECT extract(epoch FROM expires_at - clock_timestamp()) BETWEEN 3 AND 5 FROM distributed_locks"
WAITING = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def lease(engine: AsyncEngine, holder: str, ttl_seconds: float = 5.0) -> Lease:
    return Lease(engine, "one", holder=holder, ttl_seconds=ttl_seconds)


async def test_a_second_live_holder_is_refused_and_told_who_holds_it(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        first = lease(engine, "a")
        await first.start()
        with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()} on {socket.gethostname()}"):
            await lease(engine, "b").start()
        await first.stop()
        second = lease(engine, "b")
        await second.start()
        assert second.epoch > first.epoch
        await second.stop()


@pytest.mark.parametrize(
    ("pid", "started"),
    [(2**22 + 1, 1.0), (os.getpid(), process_started(os.getpid()) + 1)],
    ids=["process gone", "pid reused"],
)
async def test_the_lease_of_a_dead_process_of_this_machine_is_taken_at_once(
    database_url: str, pid: int, started: float
) -> None:
    async with instance_engine(database_url) as engine:
        async with transaction(engine) as connection:
            await connection.execute(
                text(
                    "INSERT INTO distributed_locks VALUES"
                    " ('one', 'dead', :host, :pid, :started, 7, now(), now(), now() + interval '1 h')"
                ),
                {"host": socket.gethostname(), "pid": pid, "started": started},
            )
        heir = lease(engine, "heir")
        await heir.start()
        assert heir.is_failover
        await heir.stop()


async def test_an_expired_lease_fences_its_old_holder_out(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        frozen = lease(engine, "frozen", ttl_seconds=3600)
        await frozen.start()
        await _expire(engine)
        async with transaction(engine) as connection:
            with pytest.raises(LeaseLostError):
                await frozen.fence(connection)
        heir = lease(engine, "heir")
        await heir.start()
        async with transaction(engine) as connection:
            await heir.fence(connection)
            with pytest.raises(LeaseLostError):
                await frozen.fence(connection)
        await frozen.stop()
        assert await scalar(engine, "SELECT epoch FROM distributed_locks") == heir.epoch
        await heir.stop()


async def test_losing_the_lease_ends_the_service(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        held = lease(engine, "a", ttl_seconds=0.3)
        await held.start()
        waiting = asyncio.create_task(held.wait())
        async with transaction(engine) as connection:
            await connection.execute(text("UPDATE distributed_locks SET epoch = epoch + 1"))
        with pytest.raises(LeaseLostError):
            await asyncio.wait_for(waiting, 5)


async def test_a_live_holder_keeps_the_lease_past_its_time_to_live(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        held = lease(engine, "a", ttl_seconds=0.6)
        await held.start()
        acquired = await scalar(engine, "SELECT acquired_at FROM distributed_locks")

        async def outlived() -> bool:
            return bool(
                await scalar(engine, "SELECT clock_timestamp() > acquired_at + interval '1.5 s' FROM distributed_locks")
            )

        await eventually(outlived)
        assert await scalar(engine, "SELECT acquired_at FROM distributed_locks") == acquired
        assert held.running
        await held.stop()


async def test_an_epoch_is_never_used_twice_also_when_somebody_deletes_the_row(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        frozen = lease(engine, "frozen", ttl_seconds=3600)
        await frozen.start()
        await _expire(engine)
        async with transaction(engine) as connection:
            await connection.execute(text("DELETE FROM distributed_locks WHERE expires_at < NOW()"))
        heir = lease(engine, "heir")
        await heir.start()
        assert heir.epoch > frozen.epoch
        assert heir.is_failover
        async with transaction(engine) as connection:
            with pytest.raises(LeaseLostError):
                await frozen.fence(connection)
        await heir.stop()
        await frozen.stop()


async def test_one_that_was_late_goes_on_if_nobody_else_came(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        late = lease(engine, "late", ttl_seconds=0.6)
        await late.start()
        await _expire(engine)
        await eventually(lambda: scalar(engine, "SELECT expires_at > clock_timestamp() FROM distributed_locks"))
        async with transaction(engine) as connection:
            await late.fence(connection)
        assert late.running
        await late.stop()


async def test_who_writes_under_a_lease_keeps_others_out_until_it_has_committed(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        writer, heir = lease(engine, "writer", ttl_seconds=3600), lease(engine, "heir")
        await writer.start()
        async with transaction(engine) as connection:
            await writer.fence(connection)
            await _expire(engine)
            starting = asyncio.create_task(heir.start())
            await eventually(lambda: scalar(engine, WAITING))
            assert not starting.done()
        await asyncio.wait_for(starting, 5)
        await heir.stop()
        await writer.stop()


async def test_a_holder_frozen_inside_a_transaction_loses_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.lease.BLOCKED_SECONDS", 0.1)
    async with instance_engine(database_url) as engine:
        frozen, heir = lease(engine, "frozen", ttl_seconds=3600), lease(engine, "heir")
        await frozen.start()

        async def write_across_the_takeover() -> None:
            async with transaction(engine) as connection:
                await frozen.fence(connection)
                await _expire(engine)
                await asyncio.wait_for(heir.start(), 5)
                await connection.execute(text("INSERT INTO schedules_disabled VALUES ('too late')"))

        with pytest.raises(UnreachableError):
            await write_across_the_takeover()
        assert await scalar(engine, "SELECT count(*) FROM schedules_disabled") == 0
        await heir.stop()
        await frozen.stop()


async def test_work_is_interrupted_when_the_lease_is_lost(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        held = lease(engine, "a")
        await held.start()
        working = asyncio.create_task(held.during(asyncio.Event().wait()))
        async with transaction(engine) as connection:
            await connection.execute(text("DELETE FROM distributed_locks"))
        held.check()
        with pytest.raises(LeaseLostError):
            await asyncio.wait_for(working, 5)
        assert held.lost.is_set()
        await held.stop()


async def test_a_clock_an_hour_ahead_changes_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600)
    async with instance_engine(database_url) as engine:
        held = lease(engine, "ahead")
        await held.start()
        assert await scalar(engine, LEFT)
        with pytest.raises(AlreadyRunningError):
            await lease(engine, "b").start()
        await held.stop()


async def test_its_lifecycle(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        await stress(lease(engine, "a"))


async def _expire(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text("UPDATE distributed_locks SET expires_at = clock_timestamp()"))
