"""procrastinate, as its documentation says to use it; imported only where it is installed."""

from __future__ import annotations

from typing import Any, Final

import procrastinate  # type: ignore[import-not-found]  # a peer, no dependency

from bench.queues.contender import Contender, Handler, Patience

_NAME: Final = "noted"
_UNFINISHED: Final = """
    SELECT count(*) AS unfinished FROM procrastinate_jobs WHERE task_name = 'noted' AND status IN ('todo', 'doing')
"""
_EVERY_TWO_SECONDS: Final = "* * * * * */2"


class Procrastinate(Contender):
    """An app with one task."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

    async def install(self) -> None:
        """Apply its schema."""
        await self._app.schema_manager.apply_schema_async()

    async def open(self) -> None:
        """Open its pool."""
        await self._app.open_async()

    async def enqueue(self, number: int) -> None:
        """Defer."""
        await self._app.configure_task(_NAME).defer_async(number=number)

    async def enqueue_many(self, count: int) -> None:
        """Defer as one batch."""
        await self._app.configure_task(_NAME).batch_defer_async(*({"number": number} for number in range(count)))

    async def unfinished(self) -> int:
        """Count them."""
        row = await self._app.connector.execute_query_one_async(_UNFINISHED)
        return int(row["unfinished"])

    async def work(self, handler: Handler, limit: int, patience: Patience | None) -> None:
        """Run a worker; with patience also the periodic task that its documentation has for stalled jobs."""

        @self._app.task(name=_NAME)  # type: ignore[untyped-decorator]  # untyped here
        async def noted(number: int) -> None:
            await handler(number)

        tuning: dict[str, Any] = {}
        if patience is not None:
            self._retry_stalled(patience)
            tuning = {
                "update_heartbeat_interval": patience.beat_seconds,
                "stalled_worker_timeout": patience.dead_seconds,
            }
        await self._app.run_worker_async(concurrency=limit, install_signal_handlers=False, **tuning)

    def _retry_stalled(self, patience: Patience) -> None:
        @self._app.periodic(cron=_EVERY_TWO_SECONDS)  # type: ignore[untyped-decorator]  # untyped here
        @self._app.task(queueing_lock="retry_stalled_jobs")  # type: ignore[untyped-decorator]  # untyped here
        async def retry_stalled_jobs(timestamp: int) -> None:  # noqa: ARG001 - procrastinate hands it over
            jobs = self._app.job_manager
            for stalled in await jobs.get_stalled_jobs(seconds_since_heartbeat=patience.dead_seconds):
                await jobs.retry_job(stalled)
