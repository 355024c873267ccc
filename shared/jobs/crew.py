"""The jobs that run in this process now, and what has ended and is still to be written down."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import structlog

from shared.jobs.execution import End, Execution
from shared.jobs.line import Claimed
from shared.jobs.outcome import Outcome
from shared.jobs.running import Bound, Surroundings

log = structlog.get_logger(__name__)


class JobMetrics(Protocol):
    """What is counted of jobs."""

    def claimed(self, kind: str, waited_seconds: float) -> None:
        """A job was claimed so long after it was due."""

    def ended(self, kind: str, state: str, seconds: float) -> None:
        """An attempt at a job took so long; `state` is what became of the job, or `lost`."""


class Crew:
    """Executions by the id of their job; `changed` is set whenever one has ended."""

    def __init__(self, handlers: Mapping[str, Bound], metrics: JobMetrics | None) -> None:
        self._handlers = handlers
        self._metrics = metrics
        self.changed = asyncio.Event()
        self._by_id: dict[int, Execution] = {}
        self._all: set[Execution] = set()
        self._outcomes: list[Outcome] = []
        self.counts: Counter[str] = Counter()
        self.has_room = False
        """Whether a job has ended that needs nothing written down, so that nobody has looked what is next."""

    def __len__(self) -> int:
        return len(self._all)

    @property
    def has_outcomes(self) -> bool:
        """Whether something is to be written down."""
        return bool(self._outcomes)

    def runs(self, ids: Iterable[int]) -> bool:
        """Whether one of these jobs runs here."""
        return not self._by_id.keys().isdisjoint(ids)

    def begin(self, claimed: Claimed, around: Surroundings) -> None:
        """Run a job; one that runs here under the same id is not ours any more."""
        if (stale := self._by_id.get(claimed.id)) is not None:
            stale.end(End.LOST)
        execution = Execution(claimed, self._handlers.get(claimed.worker), around)
        self._by_id[claimed.id] = execution
        self._all.add(execution)
        self.counts[claimed.queue] += 1
        if self._metrics is not None:
            self._metrics.claimed(claimed.worker, claimed.waited_seconds)
        execution.start(self._ended)

    def take_outcomes(self) -> list[Outcome]:
        """What is to be written down; `keep` what could not be."""
        taken, self._outcomes = self._outcomes, []
        return taken

    def keep(self, outcomes: Iterable[Outcome]) -> None:
        """Have these written down, too."""
        self._outcomes.extend(outcomes)

    def take_progress(self) -> list[dict[str, Any]]:
        """How far jobs are of which that is not yet kept."""
        running = [one.running for one in self._by_id.values() if one.running is not None]
        told = ((one, one.take_told()) for one in running)
        return [{"id": one.id, "attempt": one.attempt, "progress": said} for one, said in told if said is not None]

    def compare(self, executing: Mapping[int, int]) -> None:
        """Bring what runs here and what the database says that runs here (attempts by id) to the same.

        What it does not say was cancelled or given to others: cancel it. What does not run here was claimed or
        finished by a statement whose effect, or answer, was lost with a connection: hand it back.
        """
        for id_, execution in self._by_id.items():
            if executing.get(id_) != execution.claimed.attempt and not execution.settled:
                log.info("job is no longer ours; it is cancelled", job=id_, kind=execution.claimed.worker)
                execution.end(End.LOST)
        known = self._by_id.keys() | {outcome.id for outcome in self._outcomes}
        unknown = [
            Outcome(id=i, attempt=n, state="available", refund=1) for i, n in executing.items() if i not in known
        ]
        self._outcomes.extend(unknown)

    def lose(self) -> None:
        """Cancel all: others have the jobs by now, also those that have ended and are not written down."""
        self._outcomes.clear()
        self._end(End.LOST)

    async def drain(self, finish_seconds: float, cancel_seconds: float) -> None:
        """Wait for what runs, then hand back what still does and wait a moment for it to notice."""
        await self._wait(finish_seconds)
        self._end(End.STOPPING)
        await self._wait(cancel_seconds)
        if self._all:
            kinds = sorted({one.claimed.worker for one in self._all})
            log.error("jobs do not end when they are cancelled", kinds=kinds)

    async def _wait(self, seconds: float) -> None:
        tasks = [one.task for one in self._all]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    def _end(self, why: End) -> None:
        for execution in self._all:
            execution.end(why)

    def _ended(self, execution: Execution) -> None:
        self._all.discard(execution)
        job = execution.claimed
        self.counts[job.queue] -= 1
        if self._by_id.get(job.id) is execution:
            del self._by_id[job.id]
        if execution.outcome is not None:
            self._outcomes.append(execution.outcome)
        else:
            self.has_room = True
        if self._metrics is not None:
            self._metrics.ended(job.worker, execution.state, execution.seconds)
        self.changed.set()
