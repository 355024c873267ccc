"""What centralcloud last said of how fast to send. A hint nobody repeats runs out: a silent hub holds nobody up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from nats.aio.msg import Msg

from schemas import subjects
from schemas.codec import InvalidMessageError, decode
from schemas.flow import FlowHint
from shared.bus import Bus

log = structlog.get_logger(__name__)


class Flow:
    """Listens for hints; create it before the bus starts."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic) -> None:
        self.changed = asyncio.Event()
        """Set whenever a hint is heard; whoever waits for it clears it."""
        self._clock = clock
        self._hint: FlowHint | None = None
        self._until = 0.0
        bus.subscribe(subjects.FLOW, self._receive)

    @property
    def slow(self) -> FlowHint | None:
        """The hint to send more slowly; None when there is none that still holds."""
        hint = self._hint
        return hint if hint is not None and hint.state == "slow" and self._clock() < self._until else None

    @property
    def left_seconds(self) -> float:
        """How long the hint holds if it is not repeated."""
        return max(0.0, self._until - self._clock())

    def hear(self, hint: FlowHint) -> None:
        """Take a hint, in place of any before."""
        if (hint.state == "slow") != (self.slow is not None):
            log.info("centralcloud says how fast to send", state=hint.state, waiting=hint.pending)
        self._hint = hint
        self._until = self._clock() + hint.expires_seconds
        self.changed.set()

    async def _receive(self, message: Msg) -> None:
        try:
            self.hear(decode(message.data, FlowHint))
        except InvalidMessageError as error:
            log.warning("unreadable hint", error=str(error))
