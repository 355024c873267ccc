"""Watching how much waits to be committed, and asking publishers to slow down while it is too much.

What waits is in the stream, so nothing is lost by it; but a stream has its limits, and what waits there is news to
nobody. An instance that slows down keeps the rest in its own database.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Final, NamedTuple

import nats.errors
import nats.js.errors
import structlog

from centralcloud.config import BACKLOG_MAX
from centralcloud.ingest import stream
from centralcloud.ingest.consumer import Ingest
from schemas import subjects
from schemas.codec import encode
from schemas.flow import FlowHint
from shared.bus import Bus
from shared.errors import UnreachableError
from shared.service import Service

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
HINT_SECONDS: Final = 10.0
"""So long a hint holds: while it lasts it is repeated ten times as often."""

SHARE: Final = 0.8
"""Of what is taken in, publishers are asked to send so much in all: the rest works off what waits."""

EVENTS_PER_SECOND_MIN: Final = 1.0
"""Asked of an instance at the least, however little is taken in."""


class Backlog(NamedTuple):
    """What waits, as seen at one time."""

    envelopes: int
    taken: int
    """Envelopes committed since the stream was made, as far as the consumer tells."""
    at: float


class Pressure(Service):
    """Looks every second. Several hubs see the same and say the same."""

    name = "pressure"

    def __init__(self, bus: Bus, ingest: Ingest, backlog_max: int = BACKLOG_MAX) -> None:
        super().__init__()
        self.pending = 0
        """Events that wait to be committed."""
        self.slow = False
        """Whether publishers are asked to slow down."""
        self._bus = bus
        self._ingest = ingest
        self._backlog_max = backlog_max
        self._before: Backlog | None = None

    async def run(self) -> None:
        """Look, say, and look again; while NATS is away there is nothing to see."""
        while True:
            await self._bus.connected.wait()
            try:
                await self._look()
            except (UnreachableError, nats.errors.Error, TimeoutError, OSError) as error:
                log.debug("the backlog cannot be seen", error=str(error) or type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        backlog = await self._seen()
        self.pending = round(backlog.envelopes * self._ingest.events_per_envelope)
        before, self._before = self._before, backlog
        slow = is_slow(self.pending, self._backlog_max, was_slow=self.slow)
        if slow or self.slow:
            await self._say(slow=slow, rate=self._rate(before, backlog))
        if slow != self.slow:
            log.info("publishers are asked to slow down" if slow else "publishers are free again", pending=self.pending)
        self.slow = slow

    async def _seen(self) -> Backlog:
        consumer = await self._bus.jetstream().consumer_info(subjects.STREAM, stream.CONSUMER)
        unacknowledged = consumer.num_ack_pending or 0
        delivered = consumer.delivered.stream_seq if consumer.delivered else 0
        waiting = (consumer.num_pending or 0) + unacknowledged
        return Backlog(waiting, delivered - unacknowledged, time.monotonic())

    def _rate(self, before: Backlog | None, now: Backlog) -> float:
        """Events a second that each of those who send may send."""
        if before is None or now.at <= before.at:
            return EVENTS_PER_SECOND_MIN
        taken = (now.taken - before.taken) / (now.at - before.at) * self._ingest.events_per_envelope
        return max(EVENTS_PER_SECOND_MIN, SHARE * taken / max(1, self._ingest.waiting_instances))

    async def _say(self, *, slow: bool, rate: float) -> None:
        hint = FlowHint(
            timestamp=datetime.now(UTC),
            state="slow" if slow else "free",
            pending=self.pending,
            events_per_second=rate,
            expires_seconds=HINT_SECONDS,
        )
        await self._bus.hint(subjects.FLOW, encode(hint))


def is_slow(pending: int, backlog_max: int, *, was_slow: bool) -> bool:
    """Too much waits: more than the limit, or once it was, not yet less than half of it. Pure."""
    return pending > backlog_max or (was_slow and pending >= backlog_max / 2)
