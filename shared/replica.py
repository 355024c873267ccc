"""Reading from a replica of the database: whether it may be read at this moment, and how stale what it says is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Literal

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import transaction
from shared.errors import FlockloreError, OverloadedError, TransientError
from shared.health import HEALTHY
from shared.metrics import Metrics
from shared.service import Service
from shared.staleness import Lag, Note, Notes, Standing

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
LOOK_SECONDS_MAX: Final = 2.0
CONNECT_SECONDS_MAX: Final = 1.0
"""Then a read goes to the primary, and is still in time there."""

_STANDING: Final = text("""
    SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                           '0/0')::bigint,
           pg_is_in_recovery(),
           extract(epoch FROM pg_postmaster_start_time())::float8,
           coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8, 0)
""")
_CLUSTER: Final = text("SELECT system_identifier::text FROM pg_control_system()")

Begin = Callable[[AsyncEngine], AbstractAsyncContextManager[AsyncConnection]]
"""Begins a transaction."""

Why = Literal["away", "foreign", "stale", "written", "asked"]
"""away: it does not answer; foreign: it does not follow our primary; stale: it is too far behind; written: it does not
show yet what was changed here; asked: who asks wants the primary."""

_Seen = tuple[Standing, str]
"""Where a server is, and which cluster it belongs to."""


class PassedOverError(FlockloreError):
    """The replica is not to be read at this moment: the primary is."""

    def __init__(self, why: Why) -> None:
        super().__init__(f"the replica is passed over: {why}")
        self.why = why


class Replica(Service):
    """Looks every second where both servers are, and judges each read by where the replica is at that moment."""

    name = "replica"

    def __init__(self, primary: AsyncEngine, engine: AsyncEngine, metrics: Metrics, *, stale_seconds: float) -> None:
        """`stale_seconds`: what is further behind is passed over, as long as the primary answers."""
        super().__init__()
        self.primary = primary
        self.lag: Lag | None = None
        """At the last look; None: not known."""
        self._engine = engine
        self.metrics = metrics
        self._stale_seconds = stale_seconds
        self._notes = Notes()
        self._primary_started: float | None = None
        self._primary_answers = False
        self._why: Why | None = "away"
        self._written = 1  # the schema this release needs: it has to have come there, too
        self._written_noted = self._place_needed = 0
        self._look_now = asyncio.Event()

    async def run(self) -> None:
        """Look every second, and at once after a change."""
        while True:
            self._look_now.clear()
            await self._look()
            try:
                await asyncio.wait_for(self._look_now.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue

    async def close(self) -> None:
        """What was seen is not known any more."""
        self._why = "away"
        self._show(None)

    def wrote(self) -> None:
        """Have what was committed just now seen by every read that begins from now on."""
        self._written += 1
        self._look_now.set()

    async def word(self) -> str:
        """How it is, for health."""
        is_stale = self.lag is not None and self.lag.seconds > self._stale_seconds
        return self._why or ("stale" if is_stale else HEALTHY)

    @asynccontextmanager
    async def reading(self, begin: Begin) -> AsyncIterator[tuple[AsyncConnection, Lag]]:
        """One transaction on the replica, and how stale it is; raises `PassedOverError` where it is not to be read."""
        if self._why is not None:
            raise PassedOverError(self._why)
        try:
            async with self._judged(begin) as judged:
                yield judged
        except OverloadedError:
            raise
        except TransientError as error:  # lost, or ended by PostgreSQL for being in the way of what is replayed
            raise PassedOverError("away") from error

    @asynccontextmanager
    async def _judged(self, begin: Begin) -> AsyncIterator[tuple[AsyncConnection, Lag]]:
        deadline = asyncio.timeout(CONNECT_SECONDS_MAX)
        try:
            async with deadline, begin(self._engine) as connection:
                lag = self._judge(await _standing(connection))
                deadline.reschedule(None)
                yield connection, lag
        except TimeoutError as error:
            if not deadline.expired():
                raise
            self._why = "away"  # until the next look: nobody else waits for it
            raise PassedOverError("away") from error

    def _judge(self, standing: Standing) -> Lag:
        if self._is_other_primary(standing):
            raise PassedOverError("foreign")
        if self._written != self._written_noted or standing.place < self._place_needed:
            raise PassedOverError("written")
        lag = self._lag_of(standing)
        if lag.seconds > self._stale_seconds and self._primary_answers:
            raise PassedOverError("stale")
        return lag

    def _is_other_primary(self, standing: Standing) -> bool:
        """Whether it takes changes itself and is not the primary we know: what it shows is another history."""
        return not standing.follows and standing.started != self._primary_started

    def _lag_of(self, standing: Standing) -> Lag:
        return self._notes.lag(standing, time.monotonic(), primary_answers=self._primary_answers)

    async def _look(self) -> None:
        written, at = self._written, time.monotonic()
        primary, replica = await asyncio.gather(_ask(self.primary), _ask(self._engine))
        self._primary_answers = primary is not None
        if primary is not None:
            self._note(Note(at, primary[0].place), written)
            self._primary_started = primary[0].started
        self._why = self._why_not(primary, replica)
        self._show(self._lag_of(replica[0]) if replica is not None and self._why is None else None)

    def _note(self, note: Note, written: int) -> None:
        self._notes.add(note)
        if written != self._written_noted:
            self._written_noted, self._place_needed = written, note.place
        self._place_needed = min(self._place_needed, note.place)

    def _why_not(self, primary: _Seen | None, replica: _Seen | None) -> Why | None:
        if replica is None or not self._notes:
            return "away"
        is_foreign = primary is not None and primary[1] != replica[1]
        return "foreign" if is_foreign or self._is_other_primary(replica[0]) else None

    def _show(self, lag: Lag | None) -> None:
        self.lag = lag
        if lag is None:
            self.metrics.replica_lag_seconds.forget()
            self.metrics.replica_lag_bytes.forget()
        else:
            self.metrics.replica_lag_seconds.set(lag.seconds)
            self.metrics.replica_lag_bytes.set(lag.bytes)


async def _ask(engine: AsyncEngine) -> _Seen | None:
    """Ask a server where it is; None when it does not say."""
    try:
        async with asyncio.timeout(LOOK_SECONDS_MAX), transaction(engine) as connection:
            cluster = str((await connection.execute(_CLUSTER)).scalar_one())
            return await _standing(connection), cluster
    except (FlockloreError, SQLAlchemyError, TimeoutError, OSError) as error:
        log.debug("not known where a server is", reason=str(error) or type(error).__name__)
        return None


async def _standing(connection: AsyncConnection) -> Standing:
    return Standing(*(await connection.execute(_STANDING)).one())
