"""In which steps an instance sends: as fast as it can, or as slowly as centralcloud asks it to.

What may not be sent yet stays where it is, in the outbox of the instance's database.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import Final

from shared.flow import Flow

STEP_SECONDS: Final = 1.0
"""While sending is slow, what may be sent in so long is sent at once; longer where that is less than one event."""

JITTER: Final = 0.3
"""Of each step, so that a fleet told at once does not send at once."""

RETURN_SECONDS: Final = 2.0
"""Within so long of being free all send as before, each from a moment of its own."""


class Pace:
    """Gives leave to send."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._next = 0.0
        self._was_slow = False

    @property
    def slow(self) -> bool:
        """Whether sending is slow now."""
        return self._flow.slow is not None

    async def leave(self, events_max: int) -> int:
        """Wait until something may be sent; returns how many events, at most as many as asked for."""
        while (hint := self._flow.slow) is not None:
            self._was_slow = True
            if (wait_seconds := self._next - time.monotonic()) <= 0:
                events = max(1, min(events_max, int(hint.events_per_second * STEP_SECONDS)))
                self._next = time.monotonic() + self._step(events / hint.events_per_second)
                return events
            await self._wait(min(wait_seconds, self._flow.left_seconds))
        if self._was_slow:
            self._was_slow = False
            await asyncio.sleep(random.uniform(0, RETURN_SECONDS))  # noqa: S311 - jitter
            return await self.leave(events_max)
        return events_max

    async def _wait(self, seconds: float) -> None:
        self._flow.changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._flow.changed.wait(), seconds)

    def _step(self, seconds: float) -> float:
        return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter
