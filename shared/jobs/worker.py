"""A worker: a process that runs jobs of the queues of a database it shares with others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.errors import ConfigurationError, UnreachableError
from shared.jobs import workers
from shared.jobs.connection import LOST
from shared.jobs.crew import Crew, JobMetrics
from shared.jobs.line import Line
from shared.jobs.listener import Listener
from shared.jobs.pulse import Pulse
from shared.jobs.running import Bound, Surroundings
from shared.jobs.shift import Shift
from shared.jobs.workers import WorkerSettings
from shared.pool import CpuProcesses
from shared.service import Service, end_all

CANCEL_SECONDS_MAX: Final = 1.0
"""How long a cancelled job may take to notice when the worker stops."""
FLUSH_SECONDS_MAX: Final = 1.0

log = structlog.get_logger(__name__)


class Worker(Service):
    """Registers the process, runs jobs, and hands back what is unfinished when it stops.

    `lost` is set while the process was taken for dead by others and has not registered again.
    """

    name = "worker"

    def __init__(
        self,
        engine: AsyncEngine,
        url: str,
        handlers: Sequence[Bound],
        settings: WorkerSettings,
        metrics: JobMetrics | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.lost = asyncio.Event()
        self._engine = engine
        self._url = url
        self._handlers = _by_name(handlers)
        self._metrics = metrics
        self._boot: str | None = None

    @property
    def load(self) -> int:
        """How many jobs run here now."""
        return len(self._crew) if self.running else 0

    async def open(self) -> None:
        """Connect and register; raises `AlreadyRunningError` when a live process has the name."""
        told = self.settings
        self._line = Line(self._url, worker=told.name, silent_seconds=told.dead_seconds)
        try:
            await self._line.connect()
        except LOST as error:
            raise UnreachableError(f"PostgreSQL does not answer ({error}); check DATABASE_URL".strip()) from error
        self._processes = CpuProcesses()
        self._crew = Crew(self._handlers, self._metrics)
        self._shift = Shift(
            self._line, self._crew, self._enlist, limits=told.queues, reconcile_seconds=told.beat_seconds
        )
        self._pulse = self._new_pulse()
        try:
            self._shift.begin(await self._enlist())
        except BaseException:
            await self._line.close()
            raise
        self._working_shift = asyncio.create_task(self._shift.run(), name=f"{self.name} shift")
        self._listening = asyncio.create_task(self._new_listener().run(), name=f"{self.name} listener")

    async def run(self) -> None:
        """Run jobs until stopped; a database that is away is waited for."""
        done, _ = await asyncio.wait({self._working_shift, self._listening}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def close(self) -> None:
        """Claim nothing more, wait for what runs, hand back what does not end in time, and say that we stopped."""
        self._shift.end()
        self._pulse.drain()
        finish_seconds = 0.0 if self._working_shift.done() else self.settings.finish_seconds
        await self._crew.drain(finish_seconds, CANCEL_SECONDS_MAX)
        await asyncio.wait({self._working_shift}, timeout=FLUSH_SECONDS_MAX)
        await end_all(self._working_shift, self._listening)
        await asyncio.to_thread(self._pulse.stop)
        await self._leave()
        await self._processes.close()

    async def _leave(self) -> None:
        boot, self._boot = self._boot, None
        try:
            await self._line.close()
            if boot is not None:
                async with transaction(self._engine) as connection:
                    await workers.deregister(connection, boot)
        except UnreachableError:
            log.warning("could not say that this worker stopped: the database is away; others will notice")

    async def _enlist(self) -> Surroundings:
        async with transaction(self._engine) as connection:
            boot = await workers.register(connection, self.settings)
        self._boot = boot
        self.lost.clear()
        self._pulse.begin(boot)
        idle = self.settings.dead_seconds
        return Surroundings(self._engine, self._processes, self.settings.name, boot, idle_seconds_max=idle)

    def _new_listener(self) -> Listener:
        return Listener(
            self._url,
            worker=self.settings.name,
            silent_seconds=self.settings.dead_seconds,
            on_signal=self._shift.hear,
            on_change=self._shift.listening,
        )

    def _new_pulse(self) -> Pulse:
        loop = asyncio.get_running_loop()

        def on_lost(boot: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended while the thread had not
                loop.call_soon_threadsafe(self._declared_dead, boot)

        return Pulse(
            self._url,
            worker=self.settings.name,
            beat_seconds=self.settings.beat_seconds,
            dead_seconds=self.settings.dead_seconds,
            load=self._crew.__len__,
            on_lost=on_lost,
        )

    def _declared_dead(self, boot: str) -> None:
        if boot != self._boot:
            return
        log.warning("taken for dead by others; its jobs are cancelled here", worker=self.settings.name)
        self._boot = None
        self.lost.set()
        self._shift.lose()


def _by_name(handlers: Sequence[Bound]) -> dict[str, Bound]:
    by_name = {bound.kind.name: bound for bound in handlers}
    if len(by_name) != len(handlers):
        raise ConfigurationError("two handlers are bound to one kind of job; bind each once")
    return by_name
