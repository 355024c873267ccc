"""Flocklore's own queue, in the database of an instance."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from msgspec import Struct
from sqlalchemy import text

from bench.queues.contender import Contender, Handler, Patience
from shared.database import connect_engine, transaction
from shared.inspection import migrations_of
from shared.jobs import queue
from shared.jobs.kinds import Kind
from shared.jobs.running import Running, bind
from shared.jobs.worker import Worker
from shared.jobs.workers import WorkerSettings
from shared.migrations import upgrade


class Number(Struct):
    """The arguments of the only kind of job."""

    number: int


_NOTED: Final = Kind("bench.noted", Number, type(None))
_UNFINISHED: Final = text("SELECT count(*) FROM oban_jobs WHERE state <> 'completed'")


class Flocklore(Contender):
    """A worker with one handler."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._engine = connect_engine(url, application="bench")

    async def install(self) -> None:
        """Make an instance's database."""
        await asyncio.to_thread(upgrade, self.url, migrations_of("instance"))

    async def open(self) -> None:
        """Connect as late as SQLAlchemy does."""

    async def enqueue(self, number: int) -> None:
        """Enqueue in a transaction."""
        async with transaction(self._engine) as connection:
            await queue.enqueue(connection, _NOTED, Number(number))

    async def enqueue_many(self, count: int) -> None:
        """Enqueue in one statement."""
        async with transaction(self._engine) as connection:
            await queue.enqueue_many(connection, _NOTED, [Number(number) for number in range(count)])

    async def unfinished(self) -> int:
        """Count them."""
        async with transaction(self._engine) as connection:
            return int((await connection.execute(_UNFINISHED)).scalar_one())

    async def work(self, handler: Handler, limit: int, patience: Patience | None) -> None:
        """Run a worker until cancelled."""

        async def noted(job: Running[Number]) -> None:
            await handler(job.args.number)

        chosen = patience or Patience()
        settings = WorkerSettings(
            name=f"bench-{os.getpid()}",
            queues={"default": limit},
            dead_seconds=chosen.dead_seconds,
            beat_seconds=chosen.beat_seconds,
        )
        worker = Worker(self._engine, self.url, [bind(_NOTED, noted)], settings)
        await worker.start()
        try:
            await worker.wait()
        finally:
            await worker.stop()
