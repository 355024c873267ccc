"""A thousand jobs, each with its effect exactly once, whatever is killed, frozen and restarted meanwhile."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from subprocess import Popen

import psycopg
import pytest

from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.jobs import queue
from tests.support.jobs import DEAD_SECONDS, EFFECT, Task, empty_queue, rows, worker_process
from tests.support.wait import eventually

JOBS = 1_000
WORKERS = 3
FAULTS = 10
UNFINISHED = "SELECT count(*) FROM oban_jobs WHERE state <> 'completed'"
JUDGED = "SELECT count(*), count(DISTINCT job) FROM effects"

pytestmark = pytest.mark.chaos


class Arena:
    """A database and workers that share it; a worker that was killed is started again."""

    def __init__(self, server: EmbeddedPostgres, chance: random.Random) -> None:
        self.url = server.dsn("jobs")
        self.faults: Counter[str] = Counter()
        self._server = server
        self._chance = chance
        self._processes: dict[str, Popen[str]] = {}

    @asynccontextmanager
    async def populated(self) -> AsyncIterator[None]:
        keepers = [asyncio.create_task(self._keep(f"worker-{n}")) for n in range(WORKERS)]
        try:
            await eventually(lambda: len(self._processes) == WORKERS, 30, "all workers registered")
            yield
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    async def _keep(self, name: str) -> None:
        """Start a worker again and again; it may not even register while the database is away."""
        while True:
            context = worker_process(self.url, name)
            with suppress(AssertionError):
                process = await asyncio.to_thread(context.__enter__)
                try:
                    self._processes[name] = process
                    await asyncio.to_thread(process.wait)
                finally:
                    self._processes.pop(name, None)
                    context.__exit__(None, None, None)

    async def inflict(self) -> None:
        """Do one of the three faults, chosen by chance."""
        fault: Callable[[], Awaitable[None]] = self._chance.choice(
            [self._kill, self._kill, self._freeze, self._restart]
        )
        self.faults[fault.__name__] += 1
        await fault()
        await asyncio.sleep(self._chance.uniform(0.5, 2.0))

    async def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    async def _freeze(self) -> None:
        pid = self._signal(signal.SIGSTOP)
        await asyncio.sleep(self._chance.uniform(1.0, DEAD_SECONDS + 3))
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _restart(self) -> None:
        assert self._server.child is not None
        self._server.child.kill()
        await asyncio.to_thread(self._server.start)

    def _signal(self, number: signal.Signals) -> int | None:
        if not self._processes:
            return None
        process = self._chance.choice([*self._processes.values()])
        process.send_signal(number)
        return process.pid


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_thousand_jobs_have_their_effects_once(own_postgres: Callable[[], EmbeddedPostgres], seed: int) -> None:
    server = own_postgres()
    chance = random.Random(seed)  # noqa: S311 - the same faults for the same seed
    async with empty_queue(server) as engine, transaction(engine) as connection:
        await queue.enqueue_many(connection, EFFECT, [Task(seconds=chance.uniform(0, 1.5)) for _ in range(JOBS)])
    arena = Arena(server, chance)
    async with arena.populated():
        while arena.faults.total() < FAULTS:
            await arena.inflict()
        await eventually(lambda: _finished(arena.url), 180, "every job completed")
    effects, distinct = rows(arena.url, JUDGED)[0]
    (starts,) = rows(arena.url, "SELECT count(*) FROM starts")[0]
    died = rows(arena.url, "SELECT ended, count(*) FROM worker_history GROUP BY ended ORDER BY ended")
    print(f"seed {seed}: {dict(arena.faults)}, {starts} starts, {effects} effects, workers {died}")  # noqa: T201
    assert (effects, distinct) == (JOBS, JOBS)


def _finished(url: str) -> bool:
    try:
        return bool(rows(url, UNFINISHED)[0][0] == 0)
    except psycopg.OperationalError:
        return False
