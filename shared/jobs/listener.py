"""Hearing what is said on the channel of the queue, on a connection of its own."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from typing import Any, Final

import structlog
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from shared.jobs import signals
from shared.jobs.connection import LOST, parameters
from shared.jobs.signals import Signal

PROBE_SECONDS: Final = 2.0
"""How long a notification to oneself may take before a pooler is suspected that swallows them."""
_AGAIN_SECONDS: Final = (0.1, 5.0)
_QUIET_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class Listener:
    """Calls `on_signal` for everything heard, and `on_change` with whether anything can be: else one has to poll."""

    def __init__(
        self,
        url: str,
        *,
        worker: str,
        silent_seconds: float,
        on_signal: Callable[[Signal], None],
        on_change: Callable[[bool], None],
    ) -> None:
        self._told = parameters(url, application=f"flocklore {worker} listening", silent_seconds=silent_seconds)
        self._on_signal = on_signal
        self._on_change = on_change
        self._hears: bool | None = None

    async def run(self) -> None:
        """Listen until cancelled, connecting again whenever that ends."""
        pause, pause_max = _AGAIN_SECONDS
        while True:
            try:
                await self._listen()
            except LOST as error:
                log.debug("cannot listen", reason=str(error).strip())
            pause = _AGAIN_SECONDS[0] if self._hears else min(2 * pause, pause_max)
            self._say(hears=False)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    async def _listen(self) -> None:
        """Return when the connection turns out to be deaf."""
        connection = await AsyncConnection.connect(**self._told, autocommit=True)
        try:
            if not await self._probed(connection):
                return
            self._say(hears=True)
            while True:
                async for heard in connection.notifies(timeout=_QUIET_SECONDS):
                    self._on_signal(signals.read(heard.payload))
                await connection.execute("SELECT 1")  # a dead connection is as quiet as an idle one
        finally:
            await connection.close()

    def _say(self, *, hears: bool) -> None:
        if hears != self._hears:
            log.info("listening for jobs" if hears else "cannot listen for jobs; polling")
            self._hears = hears
            self._on_change(hears)

    async def _probed(self, connection: AsyncConnection[Any]) -> bool:
        """Tell whether what is said arrives: behind a pooler that shares connections LISTEN succeeds, too."""
        probe = Identifier(f"flocklore_probe_{uuid.uuid4().hex}")
        await connection.execute(SQL("LISTEN {}; NOTIFY {}").format(probe, probe))
        heard = [one async for one in connection.notifies(timeout=PROBE_SECONDS, stop_after=1)]
        await connection.execute(SQL("UNLISTEN {}; LISTEN {}").format(probe, Identifier(signals.CHANNEL)))
        return bool(heard)
