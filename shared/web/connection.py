"""One connection of the server, which neither waits for ever for a request nor for ever to be read."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

LOOK_SECONDS: Final = 10.0
"""Who in this time neither asks nor reads is let go the next time we look."""


class Connection(H11Protocol):
    """Uvicorn's, which by itself would keep a connection on which half a request came, or an answer is not read."""

    _looking: asyncio.TimerHandle | None = None
    _last: RequestResponseCycle | None = None
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to look."""
        super().connection_made(transport)
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        self._looking = self.loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Close when nothing was asked, or nothing read, since the last time."""
        unread = self.transport.get_write_buffer_size()
        is_stuck = 0 < self._unread <= unread
        is_answered = self.cycle is None or self.cycle.response_complete
        if is_stuck or (is_answered and not unread and self.cycle is self._last):
            self.transport.abort()
            return
        self._unread, self._last = unread, self.cycle
        self._look_later()
