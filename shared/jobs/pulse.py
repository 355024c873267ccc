"""The heartbeat of a worker, from a thread of its own: an event loop that is busy is not dead."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg
import structlog
from psycopg import Connection

from shared.jobs.connection import LOST, parameters
from shared.jobs.rescue import rescue

_BEAT: Final = """
    UPDATE workers
       SET last_heartbeat_at = clock_timestamp(), load = %(load)s,
           status = CASE WHEN %(draining)s THEN 'draining' ELSE status END
     WHERE boot_id = %(boot)s::uuid AND status <> 'offline'
    RETURNING (SELECT count(*) FROM workers WHERE status <> 'offline')
"""
_RESCUERS: Final = 4
"""Of a thousand workers, about how many look for the dead in the time of one beat."""
_RECONNECT_SECONDS_MAX: Final = 1.0
_JOIN_SECONDS_MAX: Final = 2.0

log = structlog.get_logger(__name__)


class Pulse:
    """Beats for a worker, finds the dead, and tells (`on_lost`, in its own thread) when it was itself taken for dead.

    It judges others only after it has itself beaten for `dead_seconds` without a gap: once a database is back after a
    while, everybody looks dead.
    """

    def __init__(
        self,
        url: str,
        *,
        worker: str,
        beat_seconds: float,
        dead_seconds: float,
        load: Callable[[], int],
        on_lost: Callable[[str], None],
    ) -> None:
        self._told = parameters(url, application=f"flocklore {worker} beating", silent_seconds=dead_seconds / 2)
        self._worker = worker
        self._beat_seconds = beat_seconds
        self._dead_seconds = dead_seconds
        self._load = load
        self._on_lost = on_lost
        self._boot: str | None = None
        self._draining = False
        self._stopping = threading.Event()
        self._nudged = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pulse of {worker}", daemon=True)
        self._connection: Connection[Any] | None = None
        self._steady_since: float | None = None
        self._beaten = 0.0

    def begin(self, boot: str) -> None:
        """Beat for this boot from now on."""
        self._boot = boot
        if self._thread.ident is None:
            self._thread.start()

    def drain(self) -> None:
        """Say from now on that the worker claims nothing more."""
        self._draining = True
        self._nudged.set()

    def stop(self) -> None:
        """End the thread; waits a moment for a statement that is under way."""
        self._stopping.set()
        self._nudged.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_SECONDS_MAX)

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = self._beat_seconds * random.uniform(0.9, 1.0)  # noqa: S311 - jitter: not all at once
            if (boot := self._boot) is not None:
                try:
                    self._beat(boot)
                except LOST as error:
                    self._away(error)
                    pause = min(_RECONNECT_SECONDS_MAX, pause)
            self._nudged.wait(pause)
            self._nudged.clear()
        self._disconnect()

    def _beat(self, boot: str) -> None:
        connection = self._connected()
        told = {"boot": boot, "load": self._load(), "draining": self._draining}
        row = connection.execute(_BEAT, told).fetchone()
        if row is None:
            self._boot = None
            self._steady_since = None
            self._on_lost(boot)
            return
        steady_seconds = self._steady(time.monotonic())
        if random.random() * row[0] < _RESCUERS:  # noqa: S311 - who of many looks
            self._rescue(connection, judges=steady_seconds >= self._dead_seconds)

    def _steady(self, now: float) -> float:
        """For how long it has beaten without a gap."""
        if self._steady_since is None or now - self._beaten > 2 * self._beat_seconds:
            self._steady_since = now
        self._beaten = now
        return now - self._steady_since

    def _rescue(self, connection: Connection[Any], *, judges: bool) -> None:
        dead, returned = rescue(connection, dead_seconds=self._dead_seconds if judges else None)
        if dead or returned:
            log.warning("gave back the jobs of workers that stopped answering", workers=dead, jobs=returned)

    def _connected(self) -> Connection[Any]:
        if self._connection is None:
            self._connection = psycopg.connect(**self._told, autocommit=True)
        return self._connection

    def _away(self, error: Exception) -> None:
        if self._steady_since is not None:
            log.warning("cannot beat: the database is away", worker=self._worker, reason=str(error).strip())
        self._steady_since = None
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(*LOST):
                self._connection.close()
            self._connection = None
