"""One attempt at a job: its task, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, Final

import msgspec
import structlog

from shared import tracing
from shared.jobs import kinds
from shared.jobs.line import Claimed
from shared.jobs.outcome import Outcome, delay, failure, remark, result
from shared.jobs.running import Bound, Cancel, Discard, Running, Snooze, Surroundings

UNKNOWN_KIND_SECONDS: Final = 10.0
"""How long a job waits for a worker that knows its kind, while some are newer than others."""

log = structlog.get_logger(__name__)


class End(Enum):
    """Why a task is cancelled from outside."""

    LOST = "lost"
    STOPPING = "stopping"


class Execution:
    """Runs a handler once. `outcome` is what is to be written down, None when it is not ours to write."""

    task: asyncio.Task[None]

    def __init__(self, claimed: Claimed, bound: Bound | None, around: Surroundings) -> None:
        self.claimed = claimed
        self.outcome: Outcome | None = None
        self.running: Running[Any] | None = None
        self._around = around
        self._bound = bound
        self._end: End | None = None
        self._started = time.monotonic()

    def start(self, on_end: Callable[[Execution], None]) -> None:
        """Begin; `on_end` is called once, whatever happens."""
        self.task = asyncio.create_task(self._run(), name=f"job {self.claimed.id}")
        self.task.add_done_callback(lambda _: on_end(self))

    def end(self, why: End) -> None:
        """Cancel it; a job that is lost has no outcome, one that has to stop is handed back."""
        if self._end is not End.LOST:
            self._end = why
            self.task.cancel()

    @property
    def settled(self) -> bool:
        """Whether a transaction of its own says, or is about to say, that it is done."""
        return self.running is not None and (self.running.settling or self.running.settled)

    @property
    def state(self) -> str:
        """What became of the job, once it has ended."""
        if self.outcome is not None:
            return self.outcome.state
        return "completed" if self.settled else "lost"

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._started

    async def _run(self) -> None:
        try:
            with self._traced():
                outcome = await self._attempt()
        except asyncio.CancelledError as error:
            outcome = self._cancelled(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a handler may raise anything
            outcome = self._failed(error)
        if self._end is not End.LOST and not self.settled:
            self.outcome = outcome

    def _traced(self) -> AbstractContextManager[None]:
        """A span in the trace in which the job was queued."""
        job = self.claimed
        queued_in = job.meta.get(tracing.META) if isinstance(job.meta, dict) else None
        parents = [queued_in] if isinstance(queued_in, str) else []
        return tracing.span(f"job {job.worker}", parents=parents, job=job.id, attempt=job.attempt)

    async def _attempt(self) -> Outcome:
        """Run the handler; whatever it raises that says what to do is done, everything else is raised."""
        bound = self._bound
        if bound is None:
            return self._ended("scheduled", refund=1, delay_seconds=UNKNOWN_KIND_SECONDS)
        try:
            args = bound.decode(self.claimed.args)
        except msgspec.DecodeError as error:
            return self._ended("discarded", error=failure(self.claimed.attempt, error))
        self.running = Running(self.claimed, bound.kind, args, self._around)
        try:
            return self._ended("completed", result=result(await self._patiently(bound, self.running)))
        except Snooze as wish:
            return self._ended("scheduled", refund=1, delay_seconds=delay(wish.seconds))
        except Cancel as wish:
            return self._ended("cancelled", error=remark(self.claimed.attempt, "Cancel", str(wish)))
        except Discard as wish:
            return self._ended("discarded", error=failure(self.claimed.attempt, wish))

    async def _patiently(self, bound: Bound, running: Running[Any]) -> Any:
        seconds = bound.kind.timeout_seconds
        if seconds is None:
            return await bound.handler(running)
        try:
            async with asyncio.timeout(seconds) as patience:
                return await bound.handler(running)
        except TimeoutError as error:
            if patience.expired():
                raise TimeoutError(f"it took longer than the {seconds} s a {bound.kind.name} may take") from error
            raise

    def _cancelled(self, error: asyncio.CancelledError) -> Outcome:
        if self._end is End.STOPPING:
            return self._ended("available", refund=1)
        return self._failed(error)

    def _failed(self, error: BaseException) -> Outcome:
        job = self.claimed
        entry = failure(job.attempt, error)
        log.warning("job failed", job=job.id, kind=job.worker, attempt=job.attempt, error=repr(error))
        if job.attempt >= job.max_attempts:
            return self._ended("discarded", error=entry)
        return self._ended("retryable", error=entry, delay_seconds=self._backoff())

    def _backoff(self) -> float:
        chosen = self._bound.kind.backoff if self._bound is not None else kinds.backoff
        try:
            return delay(chosen(self.claimed.attempt))
        except Exception:
            log.exception("the backoff of a kind failed; the usual one is used", kind=self.claimed.worker)
            return kinds.backoff(self.claimed.attempt)

    def _ended(self, state: Any, **more: Any) -> Outcome:
        told = self.running.told if self.running is not None else None
        return Outcome(id=self.claimed.id, attempt=self.claimed.attempt, state=state, progress=told, **more)
