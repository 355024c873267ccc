"""What a handler is given while it runs a job, and what it may raise to say how the job shall go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import transaction
from shared.errors import TransientError
from shared.jobs.jsonb import plain
from shared.jobs.kinds import Kind
from shared.jobs.line import Claimed
from shared.jobs.outcome import FINISH, FINISHING, Outcome, result

NOTE_CHARACTERS_MAX: Final = 200

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")

_FINISH_ONE: Final = f"WITH finishing AS MATERIALIZED ({FINISHING}) {FINISH}"
# A process that is frozen in the middle must not keep its rows locked for those who do its jobs in its place.
_STILL_OURS: Final = text("""
    SELECT set_config('idle_in_transaction_session_timeout', :idle, true),
           EXISTS (SELECT FROM oban_jobs WHERE id = :id AND attempt = :attempt AND state = 'executing'
                                           AND attempted_by[2] = :boot)
""")


class Snooze(Exception):  # noqa: N818 - no error: it says what to do
    """Run the job again in so many seconds; the attempt does not count."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"snoozed for {seconds} s")
        self.seconds = seconds


class Cancel(Exception):  # noqa: N818 - no error: it says what to do
    """Do not run the job again: it has become pointless."""


class Discard(Exception):  # noqa: N818 - no error: it says what to do
    """Do not run the job again: it will never succeed."""


class JobLostError(TransientError):
    """The job is no longer ours (cancelled, or this worker was taken for dead); nothing was written."""


class Processes(Protocol):
    """Where CPU-bound functions run."""

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function that can be pickled in a process of its own; the process ends when this is cancelled."""


@dataclass(frozen=True)
class Surroundings:
    """What all jobs of a worker share while it has one boot."""

    engine: AsyncEngine
    processes: Processes
    worker: str
    boot: str
    idle_seconds_max: float


class Running(Generic[A]):
    """A job in one attempt; times out, is cancelled and is fenced by `attempt`."""

    def __init__(self, claimed: Claimed, kind: Kind[A, Any], args: A, around: Surroundings) -> None:
        self.id = claimed.id
        self.kind = kind
        self.args = args
        self.attempt = claimed.attempt
        self.attempts_max = claimed.max_attempts
        self.tenant = claimed.tenant_id
        self.meta: dict[str, Any] = claimed.meta if isinstance(claimed.meta, dict) else {}
        self.worker = around.worker
        self.settling = False
        self.settled = False
        self.told: dict[str, Any] | None = None
        self._told_is_new = False
        self._around = around

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Say how far it is; kept in `meta.progress`, written at most once a second."""
        self.told = {"done": done, "total": total, "note": plain(note, NOTE_CHARACTERS_MAX)}
        self._told_is_new = True

    def take_told(self) -> dict[str, Any] | None:
        """What `progress` said since this was called last."""
        is_new, self._told_is_new = self._told_is_new, False
        return self.told if is_new else None

    @asynccontextmanager
    async def finishing(self, result_: Any = None) -> AsyncIterator[AsyncConnection]:
        """One transaction for what the job changes and for the note that it is done: both are kept, or neither.

        Raises `JobLostError` when the job is no longer ours. A transaction idle for as long as a worker may be silent
        is ended by the server.
        """
        outcome = Outcome(
            id=self.id, attempt=self.attempt, state="completed", result=result(result_), progress=self.told
        )
        self.settling = True
        try:
            async with transaction(self._around.engine) as connection:
                await self._require_ours(connection)
                yield connection
                values = {"finished": msgspec.json.encode([outcome]).decode(), "boot": self._around.boot}
                if (await connection.exec_driver_sql(_FINISH_ONE, values)).first() is None:
                    raise self._lost()
            self.settled = True
        finally:
            self.settling = False

    async def in_process(self, function: Callable[..., T], *args: Any) -> T:
        """Run CPU-bound work in another process; both are picklable. Ends with the job when that is cancelled."""
        return await self._around.processes.run(function, *args)

    async def _require_ours(self, connection: AsyncConnection) -> None:
        key = {"id": self.id, "attempt": self.attempt, "boot": self._around.boot}
        idle = {"idle": f"{self._around.idle_seconds_max * 1000:.0f}ms"}
        if not (await connection.execute(_STILL_OURS, key | idle)).one()[1]:
            raise self._lost()

    def _lost(self) -> JobLostError:
        return JobLostError(f"job {self.id} ({self.kind.name}) is no longer ours; nothing was written")


Handler = Callable[[Running[A]], Awaitable[R]]


class Bound:
    """A kind and what runs its jobs."""

    def __init__(self, kind: Kind[Any, Any], handler: Handler[Any, Any]) -> None:
        self.kind = kind
        self.handler = handler
        self.decode = msgspec.json.Decoder(kind.args).decode


def bind(kind: Kind[A, R], handler: Handler[A, R]) -> Bound:
    """Say what runs the jobs of a kind."""
    return Bound(kind, handler)
