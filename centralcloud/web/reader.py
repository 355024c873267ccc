"""One open stream of events: what waits to be written to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from centralcloud.store.activity import Happened

COMMENT_SECONDS: Final = 15.0
"""After so long without an event something is written, so that nobody between takes the stream for dead."""

WAITING_MAX: Final = 1_000
"""Events a stream may be behind."""


class Reader:
    """Takes what a tenant is to be told, and gives it when it can be written.

    What happened to no tenant but to the hubs is the operator's: who has the token of a tenant does not hear it.
    """

    def __init__(self, tenant: str, *, hears_hubs: bool = True) -> None:
        self.tenant = tenant
        self.hears_hubs = hears_hubs
        self._waiting: deque[Happened] = deque()
        self._news = asyncio.Event()
        self._is_late = False

    def take(self, happened: Happened) -> None:
        """Have it written soon; who is too far behind is let go, and resumes."""
        if happened.tenant != self.tenant and not (self.hears_hubs and happened.tenant is None):
            return
        self._is_late = self._is_late or len(self._waiting) >= WAITING_MAX
        if not self._is_late:
            self._waiting.append(happened)
        self._news.set()

    async def coming(self, closing: asyncio.Event) -> AsyncIterator[Happened | None]:
        """Give events as they come, None when none came for a while; ends with the server, and when it is late."""
        while not closing.is_set():
            while self._waiting:
                yield self._waiting.popleft()
            if self._is_late:
                return
            self._news.clear()
            if not await _first_of(self._news, closing, COMMENT_SECONDS):
                yield None


async def _first_of(one: asyncio.Event, other: asyncio.Event, seconds: float) -> bool:
    """Wait until one of two is set; False when neither was in time."""
    waiting = [asyncio.create_task(event.wait()) for event in (one, other)]
    try:
        done, _ = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    return bool(done)
