"""What runs when: a table of tasks, each fire run once by one of the processes that share a database.

Nominal times lie on a grid (`shared.triggers`), and a row of `schedule_fires` for each says who runs it. A process
that runs a task holds the lock `schedule:<name>`, so that a run whose process died is run again by who is left.
Everything goes by the database's clock. A fire missed while nobody ran is made up once, however many there were.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared import fires, grants, tracing
from shared.database import transaction
from shared.errors import AlreadyRunningError, ConfigurationError, NotFoundError, TransientError
from shared.fires import LOCKS, Standing
from shared.lease import Lease, LeaseLostError
from shared.metrics import Metrics
from shared.service import Service, end_all
from shared.triggers import Cron, Every, Trigger, fraction

log = structlog.get_logger(__name__)

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86_400.0

CHANNEL: Final = fires.CHANNEL
"""Who listens there calls `Schedules.wake`: a run was asked for."""

JITTER_SHARE: Final = 0.1
JITTER_SECONDS_MAX: Final = 15 * MINUTE
START_SPREAD_SECONDS: Final = 5.0
POLL_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 1.0
RUN_TTL_SECONDS: Final = 30.0
"""How long after the death of its process a run is run again at the latest."""

DEATHS_MAX: Final = 3
FIRES_KEPT_SECONDS: Final = 7 * DAY
LOCKS_KEPT_SECONDS: Final = 90 * DAY

Begin = Callable[[AsyncConnection], Awaitable[bool]]
"""Become the one who runs it, in the transaction that records its start."""


@dataclass(frozen=True)
class Task:
    """One row of a schedule table: what runs, and every how many seconds (None: only on demand)."""

    name: str
    every_seconds: float | None
    run: Callable[[], Awaitable[Any]]
    cron: str | None = None

    @property
    def trigger(self) -> Trigger | None:
        """When it fires by itself."""
        if self.cron is not None:
            return Cron(self.cron)
        return None if self.every_seconds is None else Every(self.every_seconds)


def overridden(tasks: Sequence[Task], overrides: Mapping[str, str]) -> list[Task]:
    """Apply settings such as `{"pattern_mining": "600", "training": "0 2 * * *", "prewarm": "off"}`."""
    unknown = set(overrides) - {task.name for task in tasks}
    if unknown:
        raise ConfigurationError(f"schedules.{unknown.pop()}: no such schedule; `flocklore schedule list` shows them")
    return [_override(task, overrides.get(task.name)) for task in tasks]


def _override(task: Task, value: str | None) -> Task:
    if value is None:
        return task
    if value == "off":
        return replace(task, every_seconds=None, cron=None)
    with contextlib.suppress(ValueError):
        seconds = float(value)
        if not 0 < seconds < float("inf"):
            raise ConfigurationError(f"schedules.{task.name}: {value} seconds is no interval")
        return replace(task, every_seconds=seconds, cron=None)
    try:
        Cron(value)
    except ConfigurationError as error:
        raise ConfigurationError(f"schedules.{task.name}: {value!r} is neither seconds, a cron line nor off") from error
    return replace(task, cron=value)


class _Timed:
    """A task with its times: nominal ones, put off by its share of the jitter."""

    def __init__(self, task: Task, database: str, opened: datetime) -> None:
        self.task = task
        self.running = asyncio.Lock()
        self._trigger = task.trigger
        self._opened = opened
        share = self._trigger.share(JITTER_SHARE) if self._trigger else 0.0
        place = fraction(task.name, database)
        self._delay = timedelta(seconds=place * min(share, JITTER_SECONDS_MAX))
        spread = START_SPREAD_SECONDS if share == 0 else min(START_SPREAD_SECONDS, share / JITTER_SHARE)
        self._ready = opened + timedelta(seconds=place * spread)

    def due(self, now: datetime, standing: Standing) -> datetime | None:
        """The nominal time that is to be run now, if there is one; of several missed ones the last."""
        if self._trigger is None or standing.is_disabled or now < self._ready:
            return None
        nominal = self._trigger.latest(now - self._delay)
        known = [at for at in (standing.last_fire, standing.last_started) if at is not None]
        if isinstance(self._trigger, Cron):
            known = known or [self._opened]  # a line that was never run waits for its time
        return nominal if nominal is not None and all(nominal > at for at in known) else None

    def next_after(self, now: datetime) -> datetime | None:
        """When it fires next."""
        if self._trigger is None:
            return None
        following = self._trigger.following(now - self._delay)
        return None if following is None else max(following + self._delay, self._ready)

    def wait_seconds(self, now: datetime) -> float:
        """How long until something may be due."""
        if now < self._ready:
            return (self._ready - now).total_seconds()
        following = self.next_after(now)
        return POLL_SECONDS if following is None else (following - now).total_seconds()


class Schedules(Service):
    """Runs a table of tasks; a task never overlaps itself, also not in another process on the same database."""

    name = "schedules"

    def __init__(self, engine: AsyncEngine, tasks: Sequence[Task], metrics: Metrics) -> None:
        super().__init__()
        self._engine = engine
        self._tasks = {task.name: task for task in tasks}
        self._metrics = metrics
        self._by = f"{socket.gethostname()}:{os.getpid()}"
        self._timed: dict[str, _Timed] = {}
        self._wake = asyncio.Event()
        self._runs: set[asyncio.Task[None]] = set()
        self._tidy_at = 0.0

    def wake(self, _payload: str = "") -> None:
        """Have it looked at once what is to be run; told on `CHANNEL`."""
        self._wake.set()

    async def open(self) -> None:
        """Read the clock, and lay out when everything fires."""
        async with transaction(self._engine) as connection:
            now, database = await fires.now(connection), await fires.database(connection)
        self._timed = {name: _Timed(task, database, now) for name, task in self._tasks.items()}

    async def run(self) -> None:
        """Fire what is due; a database that is away is waited for."""
        while True:
            try:
                wait_seconds = await self._look()
            except TransientError as error:
                log.warning("schedules put off", reason=str(error))
                wait_seconds = RETRY_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait_seconds)
            self._wake.clear()

    async def close(self) -> None:
        """Cancel what is running; it will be run again."""
        await end_all(*self._runs)

    async def run_now(self, name: str) -> None:
        """Run one task at once; raises what it raised, `NotFoundError` for an unknown name.

        Waits for a run of this process to end; one of another process is an `AlreadyRunningError`.
        """
        timed = self._timed.get(name)
        if timed is None:
            raise NotFoundError(f"no schedule named {name}; there are {', '.join(sorted(self._tasks))}")
        async with timed.running:
            await self._perform(timed, lambda connection: fires.fire(connection, name, None, self._by))

    async def _look(self) -> float:
        """Start everything that is to be run; returns after how many seconds to look again."""
        async with transaction(self._engine) as connection:
            standings = await fires.standings(connection, self._timed)
            await self._tidy(connection)
        wait_seconds = POLL_SECONDS
        for standing in standings:
            timed = self._timed[standing.name]
            wait_seconds = min(wait_seconds, timed.wait_seconds(standing.now))
            if timed.running.locked() or (standing.is_running and not standing.is_interrupted):
                continue
            if (begin := self._next_run(timed, standing)) is not None:
                run = asyncio.create_task(self._fire(timed, begin), name=f"schedule {standing.name}")
                self._runs.add(run)
                run.add_done_callback(self._runs.discard)
        return wait_seconds

    def _next_run(self, timed: _Timed, standing: Standing) -> Begin | None:
        """What is to be run first: what was asked for, what was interrupted, what is due."""
        name = standing.name
        if standing.is_wanted:
            return lambda connection: fires.take(connection, name, self._by)
        if standing.is_interrupted and not standing.is_disabled:
            return lambda connection: self._retake(connection, name)
        nominal = timed.due(standing.now, standing)
        return None if nominal is None else lambda connection: fires.fire(connection, name, nominal, self._by)

    async def _fire(self, timed: _Timed, begin: Begin) -> None:
        name = timed.task.name
        try:
            async with timed.running:
                await self._perform(timed, begin)
        except AlreadyRunningError as error:
            log.debug("another process runs it", schedule=name, reason=str(error))
            return
        except TransientError as error:
            log.warning("schedule put off", schedule=name, error=str(error))
        except Exception:
            log.exception("schedule failed", schedule=name)
        else:
            self._wake.set()  # it may be due again already
            return
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._wake.set)

    async def _perform(self, timed: _Timed, begin: Begin) -> None:
        """Run it if it is ours to run: under its lock, with its start and its end recorded under the lock, too."""
        name = timed.task.name
        lease = Lease(
            self._engine,
            LOCKS + name,
            holder=secrets.token_hex(8),
            ttl_seconds=RUN_TTL_SECONDS,
            advice="wait until that run has ended",
            metrics=self._metrics,
        )
        await lease.start()
        try:
            async with transaction(self._engine) as connection:
                await lease.fence(connection)
                if not await begin(connection):
                    return
                await fires.start(connection, name)
            await self._run_recorded(timed, lease)
        finally:
            await lease.stop()

    async def _run_recorded(self, timed: _Timed, lease: Lease) -> None:
        try:
            with tracing.span(f"schedule {timed.task.name}"):
                await lease.during(timed.task.run())
        except LeaseLostError:
            raise  # whoever has the lock, or the lead, now runs it again
        except Exception as failure:
            await self._record_end(timed, lease, f"{type(failure).__name__}: {failure}")
            raise
        await self._record_end(timed, lease, None)

    async def _record_end(self, timed: _Timed, lease: Lease, error: str | None) -> None:
        self._metrics.schedule_runs.labels(timed.task.name, "failed" if error else "ok").inc()
        async with transaction(self._engine) as connection:
            await lease.fence(connection)
            await fires.finish(connection, timed.task.name, error, timed.next_after(await fires.now(connection)))

    async def _retake(self, connection: AsyncConnection, name: str) -> bool:
        """Run an interrupted run again, unless it is what kills the processes."""
        died = await fires.deaths(connection, name)
        if died < DEATHS_MAX:
            return await fires.retake(connection, name, self._by)
        log.error("schedule given up until its next time", schedule=name, processes_died=died)
        error = f"{died} processes died while they ran it; not run again before its next time"
        await fires.finish(connection, name, error, self._timed[name].next_after(await fires.now(connection)))
        return False

    async def _tidy(self, connection: AsyncConnection) -> None:
        """Once an hour forget old fires and locks."""
        if time.monotonic() < self._tidy_at:
            return
        self._tidy_at = time.monotonic() + HOUR
        await fires.prune(connection, FIRES_KEPT_SECONDS)
        await grants.drop_expired(connection, HOUR)
        await grants.forget(connection, LOCKS, FIRES_KEPT_SECONDS)
        await grants.forget(connection, "", LOCKS_KEPT_SECONDS)
