"""The loop of a worker: one exchange with the queue after the other, as soon as there is a reason for one."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from shared.errors import UnreachableError
from shared.jobs import signals
from shared.jobs.connection import LOST
from shared.jobs.crew import Crew
from shared.jobs.line import CLAIMED_MAX, STAGED_MAX, Line
from shared.jobs.outcome import Outcome
from shared.jobs.running import Surroundings
from shared.jobs.signals import Signal

LOOK_SECONDS: Final = 5.0
"""How often it looks without being told to: nothing is known to need it."""
POLL_SECONDS: Final = 0.1
"""How often it looks while it cannot be told."""
FRUITLESS_SECONDS: Final = 0.005
"""How long it does not look again after there was nothing: a notification of one job wakes every worker."""
PROGRESS_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = (0.05, 2.0)

log = structlog.get_logger(__name__)


class Alarm:
    """A time at which something is to be done."""

    def __init__(self) -> None:
        self.at = 0.0

    @property
    def rings(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self.at

    def ring(self) -> None:
        """It is time now."""
        self.at = 0.0

    def set(self, seconds: float) -> None:
        """Ring in so many seconds."""
        self.at = time.monotonic() + seconds

    def not_after(self, seconds: float) -> None:
        """Ring in so many seconds at the latest."""
        self.at = min(self.at, time.monotonic() + seconds)


class Shift:
    """Keeps a crew busy. `enlist` registers the process; it is called when the shift begins anew after `lose`."""

    def __init__(
        self,
        line: Line,
        crew: Crew,
        enlist: Callable[[], Awaitable[Surroundings]],
        *,
        limits: Mapping[str, int] | None,
        reconcile_seconds: float,
    ) -> None:
        self._line = line
        self._crew = crew
        self._enlist = enlist
        self._limits = None if limits is None else dict(limits)
        self._reconcile_seconds = reconcile_seconds
        self._hears = False
        self._around: Surroundings | None = None
        self._closing = False
        self._wake = crew.changed
        self._wanted = True
        self._spare = 1
        self._fruitless = Alarm()
        self._waking: asyncio.TimerHandle | None = None
        self._look, self._stage, self._reconcile, self._progress = Alarm(), Alarm(), Alarm(), Alarm()

    def begin(self, around: Surroundings) -> None:
        """Claim under this registration."""
        self._around = around

    async def run(self) -> None:
        """Work until `end` was called and nothing is left to do; lost connections are made anew."""
        while not (self._closing and not self._crew and not self._crew.has_outcomes):
            await self._reason()
            try:
                await self._turn()
            except (*LOST, UnreachableError) as error:
                await self._recover(error)

    def end(self) -> None:
        """Claim nothing more, and return when nothing runs."""
        self._closing = True
        self._wake.set()

    def lose(self) -> None:
        """We were taken for dead: cancel everything and begin anew."""
        self._around = None
        self._crew.lose()
        self._wake.set()

    def listening(self, hears: bool) -> None:  # noqa: FBT001 - what is said, not how
        """Be told from now on, or poll; either way something may have been missed."""
        self._hears = hears
        self._ring()

    def hear(self, signal: Signal) -> None:
        """Act on what another process said."""
        if signal.everything:
            self._ring()
        elif signal.cancelled and self._crew.runs(signal.cancelled):
            self._reconcile.ring()
            self._wake.set()
        if signal.due:
            self._stage.ring()
            self._wake.set()
        if signal.queues and (self._limits is None or not self._limits.keys().isdisjoint(signal.queues)):
            self._wanted = True
            self._wake_unless_fruitless()

    def _ring(self) -> None:
        self._wanted = True
        self._spare = max(1, self._spare)  # limits may have changed
        for alarm in (self._look, self._stage, self._reconcile):
            alarm.ring()
        self._wake.set()

    def _wake_unless_fruitless(self) -> None:
        if self._fruitless.rings:
            self._wake.set()
        elif self._waking is None:
            self._waking = asyncio.get_running_loop().call_later(FRUITLESS_SECONDS, self._wake_at_last)

    def _wake_at_last(self) -> None:
        self._waking = None
        self._wake.set()

    async def _reason(self) -> None:
        """Return when there is something to do, or may be."""
        alarms = [self._look, self._stage, self._reconcile]
        if self._crew:
            alarms.append(self._progress)
        seconds = max(0.0, min(alarm.at for alarm in alarms) - time.monotonic())
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _turn(self) -> None:
        if self._around is None:
            self._around = await self._enlist()
            self._ring()
        around = self._around
        if self._reconcile.rings:
            self._crew.compare(await self._line.executing(around.boot))
            self._reconcile.set(self._reconcile_seconds)
        if self._stage.rings:
            await self._make_available()
        if self._crew and self._progress.rings:
            await self._save_progress(around.boot)
        if self._crew.has_outcomes or self._crew.has_room or self._look.rings or (self._wanted and self._spare > 0):
            await self._exchange(around)

    async def _exchange(self, around: Surroundings) -> None:
        self._wanted = self._crew.has_room = False
        self._look.set(self._pause())
        outcomes = self._crew.take_outcomes()
        limits = {} if self._closing else self._limits
        try:
            answer = await self._line.exchange(around.boot, outcomes, self._crew.counts, limits)
        except LOST:
            self._crew.keep(outcomes)
            raise
        self._spare = answer.spare
        for claimed in answer.claimed:
            self._crew.begin(claimed, around)
        self._wanted = self._wanted or len(answer.claimed) >= CLAIMED_MAX  # there may be more
        if not outcomes and not answer.claimed:
            self._fruitless.set(FRUITLESS_SECONDS)
        if answer.finished < len(outcomes):
            late = len(outcomes) - answer.finished
            log.warning("jobs ended that were no longer ours; nothing was written", jobs=late)
        await self._follow(outcomes)

    async def _follow(self, outcomes: list[Outcome]) -> None:
        """See to it that what ended and is to be run again is."""
        for outcome in outcomes:
            if outcome.delay_seconds is not None:
                self._stage.not_after(outcome.delay_seconds)
            if outcome.state == "available":
                await self._line.tell(signals.everything())

    async def _make_available(self) -> None:
        staged = await self._line.stage()
        pause = self._pause() if staged.next_seconds is None else min(self._pause(), staged.next_seconds)
        self._stage.set(0.0 if staged.count == STAGED_MAX else pause)
        self._wanted = self._wanted or staged.count > 0

    async def _save_progress(self, boot: str) -> None:
        self._progress.set(PROGRESS_SECONDS)
        if told := self._crew.take_progress():
            await self._line.save_progress(boot, told)

    async def _recover(self, error: Exception) -> None:
        """Return when there is a connection that may work."""
        pause, pause_max = _AGAIN_SECONDS
        if self._line.usable:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            self._ring()
            return
        log.warning("the database is away; jobs go on", jobs=len(self._crew), reason=str(error).strip())
        while not self._line.usable:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(2 * pause, pause_max)
            with contextlib.suppress(*LOST):
                await self._line.connect()
        log.info("the database is back")
        self._ring()

    def _pause(self) -> float:
        return LOOK_SECONDS if self._hears else POLL_SECONDS
