"""Fault isolation inside a daemon: a part that fails is started again, and the others do not notice."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from shared.metrics import Metrics
from shared.service import Service, first_end

log = structlog.get_logger(__name__)

PAUSE_SECONDS_MIN: Final = 0.5
PAUSE_SECONDS_MAX: Final = 30.0
WELL_SECONDS: Final = 60.0
"""Who ran for so long failed for a new reason: the pause begins anew."""


class Restarted(Service):
    """Keeps a part running, with longer and longer pauses while it fails at once.

    The part must start the first time: what it cannot do at all, the daemon cannot either.
    """

    def __init__(
        self,
        part: Service,
        metrics: Metrics,
        *,
        pause_seconds_min: float = PAUSE_SECONDS_MIN,
        pause_seconds_max: float = PAUSE_SECONDS_MAX,
    ) -> None:
        super().__init__()
        self.name = part.name
        self.parts = (part,)
        """What it keeps."""
        self._part = part
        self._restarts = metrics.service_restarts.labels(part.name)
        self._pause_seconds_min = pause_seconds_min
        self._pause_seconds_max = pause_seconds_max

    async def word(self) -> str:
        """How the part is, as a check of health: `healthy`, or `restarting`."""
        return "healthy" if self._part.running else "restarting"

    async def open(self) -> None:
        """Start the part."""
        await self._part.start()

    async def run(self) -> None:
        """Start it again whenever it ends, until stopped."""
        pause_seconds = self._pause_seconds_min
        while True:
            began = time.monotonic()
            await self._run_once()
            if time.monotonic() - began > WELL_SECONDS:
                pause_seconds = self._pause_seconds_min
            self._restarts.inc()
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, self._pause_seconds_max)

    async def close(self) -> None:
        """Stop the part."""
        await self._part.stop()

    async def _run_once(self) -> None:
        try:
            await self._part.start()
            await first_end((self._part,))
        except Exception:
            log.exception("a part failed; it is started again", service=self.name)
        finally:
            await self._part.stop()
