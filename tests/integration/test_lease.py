"""Leases: one holder, fenced, by the database's clock."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.errors import AlreadyRunningError
from shared.lease import Lease, LeaseLostError, process_started
from tests.support.databases import instance_engine
from tests.support.lifecycle import stress
from tests.support.patterns import scalar
from tests.support.wait import eventually


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
        assert second.epoch == first.epoch + 1
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
        assert heir.epoch == 8
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
        await heir.stop()
        await frozen.stop()
        assert await scalar(engine, "SELECT epoch FROM distributed_locks") == heir.epoch


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


async def test_its_lifecycle(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        await stress(lease(engine, "a"))


async def _expire(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text("UPDATE distributed_locks SET expires_at = clock_timestamp()"))
