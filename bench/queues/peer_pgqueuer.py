"""pgqueuer on asyncpg, its faster driver, as its documentation says to use it; imported only where it is installed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import asyncpg  # type: ignore[import-not-found]  # a peer's driver, no dependency
from pgqueuer.core.qm import QueueManager  # type: ignore[import-not-found]  # a peer, no dependency
from pgqueuer.queries import Queries  # type: ignore[import-not-found]  # same

from bench.queues.contender import Contender, Handler, Patience

_NAME: Final = "noted"


class PgQueuer(Contender):
    """A queue manager with one entrypoint, on a connection of its own; its limit has to be two batches at least."""

    _queries: Any

    async def install(self) -> None:
        """Make its tables, with the settings it recommends for autovacuum."""
        await self._queries.install()
        await self._queries.optimize_autovacuum()

    async def open(self) -> None:
        """Open one connection."""
        self._queries = Queries.from_asyncpg_connection(await asyncpg.connect(self.url))

    async def enqueue(self, number: int) -> None:
        """One statement."""
        await self._queries.enqueue(_NAME, b"%d" % number)

    async def enqueue_many(self, count: int) -> None:
        """One statement."""
        payloads = [b"%d" % number for number in range(count)]
        await self._queries.enqueue([_NAME] * count, payloads, [0] * count)

    async def unfinished(self) -> int:
        """Count them; what is done is no longer in its table."""
        rows = await self._queries.driver.fetch("SELECT count(*) FROM pgqueuer")
        return int(rows[0]["count"])

    async def work(self, handler: Handler, limit: int, patience: Patience | None) -> None:
        """Run a queue manager."""
        manager = QueueManager(self._queries)

        @manager.entrypoint(_NAME)  # type: ignore[untyped-decorator]  # untyped here
        async def noted(job: Any) -> None:
            await handler(int(job.payload))

        tuning: dict[str, Any] = {}
        if patience is not None:
            tuning = {"heartbeat_timeout": timedelta(seconds=patience.dead_seconds)}
            tuning["dequeue_timeout"] = timedelta(seconds=patience.beat_seconds)
        await manager.run(**self.bounds(limit), **tuning)

    def bounds(self, limit: int) -> dict[str, int]:
        """How many jobs it takes at a time, and at most."""
        return {"batch_size": limit // 2, "max_concurrent_tasks": limit}


class PgQueuerUnlimited(PgQueuer):
    """The same in batches of the limit, as many at a time as there are: its default, and quicker."""

    def bounds(self, limit: int) -> dict[str, int]:
        """Without an upper bound."""
        return {"batch_size": limit}
