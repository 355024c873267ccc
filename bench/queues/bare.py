"""The bare loop everything is compared with: one statement finishes what was done and claims the next, and no more.

No retries, no schedule, no priorities, no limits but its own, no heartbeat: a job whose worker dies is lost.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

import psycopg

from bench.queues.contender import Contender, Handler, Patience

_POLL_SECONDS: Final = 1.0


class Bare(Contender):
    """The loop on the smallest table it can do with, every commit on the disk before it goes on."""

    synchronous_commit: ClassVar = "on"
    table: ClassVar = """
        CREATE TABLE bare_jobs (
            id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            state  text NOT NULL DEFAULT 'available',
            args   jsonb NOT NULL
        );
        CREATE INDEX bare_jobs_available ON bare_jobs (id) WHERE state = 'available';
    """
    insert: ClassVar = """
        WITH inserted AS (
            INSERT INTO bare_jobs (args) SELECT jsonb_build_object('number', n) FROM generate_series(%s::int, %s::int) n
        )
        SELECT pg_notify('bare_jobs', '')
    """
    turn: ClassVar = """
        WITH finished AS (UPDATE bare_jobs SET state = 'completed' WHERE id = ANY(%s))
        UPDATE bare_jobs SET state = 'executing'
         WHERE id = ANY(ARRAY(
             SELECT id FROM bare_jobs WHERE state = 'available' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
        RETURNING id, (args ->> 'number')::int
    """
    left: ClassVar = "SELECT count(*) FROM bare_jobs WHERE state <> 'completed'"
    _connection: psycopg.AsyncConnection[Any]

    async def install(self) -> None:
        """Make the table."""
        await self._connection.execute(self.table)

    async def open(self) -> None:
        """Open one connection."""
        self._connection = await psycopg.AsyncConnection.connect(self.url, autocommit=True)

    async def enqueue(self, number: int) -> None:
        """Run one statement."""
        await self._connection.execute(self.insert, [number, number], prepare=True)

    async def enqueue_many(self, count: int) -> None:
        """Run one statement."""
        await self._connection.execute(self.insert, [0, count - 1])

    async def unfinished(self) -> int:
        """Count them."""
        row = await (await self._connection.execute(self.left)).fetchone()
        assert row is not None
        return int(row[0])

    async def work(self, handler: Handler, limit: int, patience: Patience | None) -> None:  # noqa: ARG002 - has none
        """Claim, run, finish and claim, ...; a job that takes long holds up no other."""
        await self._connection.execute(f"SET synchronous_commit = {self.synchronous_commit}")
        await self._connection.execute("LISTEN bare_jobs")
        running: dict[asyncio.Task[None], int] = {}
        finished: list[int] = []
        while True:
            for job, number in await self._turn(finished, limit - len(running)):
                running[asyncio.ensure_future(handler(number))] = job
            finished = await _finished(running) if running else await self._notified()

    async def _turn(self, finished: list[int], limit: int) -> list[tuple[int, int]]:
        return await (await self._connection.execute(self.turn, [finished, limit], prepare=True)).fetchall()

    async def _notified(self) -> list[int]:
        async for _ in self._connection.notifies(timeout=_POLL_SECONDS, stop_after=1):
            pass
        return []


class BareUnsynced(Bare):
    """The same, not waiting for the disk when it claims and finishes."""

    synchronous_commit: ClassVar = "off"


async def _finished(running: dict[asyncio.Task[None], int]) -> list[int]:
    """Take out what is done; while nothing is, look for new jobs now and then."""
    done, _ = await asyncio.wait(running, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return [running.pop(task) for task in done]
