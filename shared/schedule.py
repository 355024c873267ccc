"""What runs when: a table of tasks on timers, each run recorded, missed runs caught up once.

APScheduler is the trigger calculator and the ticker; what has run is known from `schedule_runs` in the database.
"""

from __future__ import annotations

import asyncio
import random
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import transaction
from shared.errors import ConfigurationError, NotFoundError, TransientError
from shared.metrics import Metrics
from shared.service import Service

log = structlog.get_logger(__name__)

JITTER_SHARE: Final = 0.1
START_SPREAD_SECONDS: Final = 5.0
MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86_400.0

_STARTED = text("""
    INSERT INTO schedule_runs AS r (name, last_started, runs) VALUES (:name, clock_timestamp(), 1)
    ON CONFLICT (name) DO UPDATE SET last_started = excluded.last_started, runs = r.runs + 1
""")
_FINISHED = text("""
    UPDATE schedule_runs SET last_finished = clock_timestamp(), last_error = :error, next_run = :next_run
     WHERE name = :name
""")
_AGES = text("""
    SELECT name, extract(epoch FROM clock_timestamp() - last_started) FROM schedule_runs
     WHERE last_finished >= last_started
""")  # a run that was interrupted has not run


@dataclass(frozen=True)
class Task:
    """One row of a schedule table: what runs, and every how many seconds (None: only on demand)."""

    name: str
    every_seconds: float | None
    run: Callable[[], Awaitable[Any]]
    cron: str | None = None


def overridden(tasks: Sequence[Task], overrides: Mapping[str, str]) -> list[Task]:
    """Apply settings such as `{"pattern_mining": "600", "training": "0 2 * * *", "prewarm": "off"}`."""
    unknown = set(overrides) - {task.name for task in tasks}
    if unknown:
        raise ConfigurationError(f"schedules.{unknown.pop()}: no such schedule; `flocklore config show` lists them")
    return [_override(task, overrides.get(task.name)) for task in tasks]


def _override(task: Task, value: str | None) -> Task:
    if value is None:
        return task
    if value == "off":
        return replace(task, every_seconds=None)
    try:
        return replace(task, every_seconds=float(value))
    except ValueError:
        pass
    try:
        CronTrigger.from_crontab(value, timezone=UTC)
    except ValueError as error:
        raise ConfigurationError(f"schedules.{task.name}: {value!r} is neither seconds, a cron line nor off") from error
    return replace(task, cron=value)


class Schedules(Service):
    """Runs a table of tasks; a task never overlaps itself, and a run missed while down is made up once."""

    name = "schedules"

    def __init__(self, engine: AsyncEngine, tasks: Sequence[Task], metrics: Metrics) -> None:
        super().__init__()
        self._engine = engine
        self._tasks = {task.name: task for task in tasks}
        self._metrics = metrics
        self._running: dict[str, asyncio.Lock] = {name: asyncio.Lock() for name in self._tasks}
        self._scheduler = AsyncIOScheduler()
        self._ticks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Read what has run, and put every task on its timer."""
        async with transaction(self._engine) as connection:
            ages = {name: float(age) for name, age in (await connection.execute(_AGES)).all()}
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        for task in self._tasks.values():
            self._plan(task, ages.get(task.name))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # APScheduler 3 asks for the loop the old way
            self._scheduler.start()

    async def run(self) -> None:
        """Let the timers tick."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Stop the timers, and cancel what is running."""
        self._scheduler.shutdown(wait=False)
        for tick in self._ticks:
            tick.cancel()
        await asyncio.gather(*self._ticks, return_exceptions=True)

    async def run_now(self, name: str) -> None:
        """Run one task at once; raises what it raised, `NotFoundError` for an unknown name."""
        task = self._tasks.get(name)
        if task is None:
            raise NotFoundError(f"no schedule named {name}; there are {', '.join(sorted(self._tasks))}")
        async with self._running[name]:
            await self._record_start(name)
            try:
                await task.run()
            except Exception as failure:
                await self._record_end(name, f"{type(failure).__name__}: {failure}")
                raise
            await self._record_end(name, "")

    def _plan(self, task: Task, age_seconds: float | None) -> None:
        if task.cron is None and task.every_seconds is None:
            return
        options: dict[str, Any] = {"id": task.name, "coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        if task.cron is not None:
            trigger: Any = CronTrigger.from_crontab(task.cron, timezone=UTC)
        else:
            every = task.every_seconds or HOUR
            trigger = IntervalTrigger(seconds=every, jitter=max(1, int(every * JITTER_SHARE)))
            options["next_run_time"] = datetime.now(UTC) + timedelta(seconds=_first_wait(every, age_seconds))
        self._scheduler.add_job(self._tick, trigger, args=[task.name], **options)

    async def _tick(self, name: str) -> None:
        if (tick := asyncio.current_task()) is not None:
            self._ticks.add(tick)
            tick.add_done_callback(self._ticks.discard)
        try:
            await self.run_now(name)
        except TransientError as error:
            log.warning("schedule put off", schedule=name, error=str(error))
        except Exception:
            log.exception("schedule failed", schedule=name)
        except asyncio.CancelledError:  # APScheduler would log it as an error
            log.debug("schedule interrupted", schedule=name)

    async def _record_start(self, name: str) -> None:
        async with transaction(self._engine) as connection:
            await connection.execute(_STARTED, {"name": name})

    async def _record_end(self, name: str, error: str) -> None:
        self._metrics.schedule_runs.labels(name, "failed" if error else "ok").inc()
        job = self._scheduler.get_job(name)
        async with transaction(self._engine) as connection:
            await connection.execute(
                _FINISHED,
                {"name": name, "error": error or None, "next_run": job.next_run_time if job else None},
            )


def _first_wait(every_seconds: float, age_seconds: float | None) -> float:
    """Seconds until the first run: what is left of the interval, spread a little when it is overdue or new."""
    left = every_seconds - age_seconds if age_seconds is not None else 0.0
    return left if left > 0 else random.uniform(0, min(START_SPREAD_SECONDS, every_seconds))  # noqa: S311 - jitter
