"""Fetch, commit, acknowledge, send receipts: in this order, so that a crash anywhere repeats work and loses none.

Two tasks share a buffer: one fetches ahead, so that whoever sent a single event behind the flood of another is soon
seen; the other commits batches in which every instance has its turn. A batch takes what is there, up to 1,000 events:
nothing waits for a batch to fill, except that a trickle is gathered for a tenth of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.config import EVENTS_PER_MINUTE, SignaturePolicy
from centralcloud.ingest import stream
from centralcloud.ingest.buffer import BATCH_EVENTS_MAX, FairBuffer, Held
from centralcloud.ingest.committer import Committer
from centralcloud.ingest.quota import Quota
from schemas import subjects
from schemas.headers import TRACEPARENT
from shared import tracing
from shared.bus import Bus
from shared.database import wait_until_reachable
from shared.errors import UnreachableError
from shared.metrics import Metrics
from shared.service import Service, together

log = structlog.get_logger(__name__)

FETCH_MAX: Final = 64
FETCH_SECONDS: Final = 5.0
GATHER_SECONDS: Final = 0.1
"""Batches that are not full begin at least so far apart."""

GIVEN_BACK_SECONDS: Final = 2.0
"""After so long what did not fit is delivered again."""

EXTEND_SECONDS: Final = stream.ACK_WAIT_SECONDS / 3
RECONCILE_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 0.5
WARN_SECONDS: Final = 60.0
AVERAGE_OVER: Final = 100
"""Envelopes, about, over which their size is averaged."""


class Ingest(Service):
    """The one reader of the stream in this process; several hubs may share the durable consumer."""

    name = "ingest"

    def __init__(
        self,
        engine: AsyncEngine,
        bus: Bus,
        metrics: Metrics,
        *,
        replicas: int,
        on_commit: Callable[[], None],
        signatures: SignaturePolicy = "known",
        events_per_minute: int = EVENTS_PER_MINUTE,
        region: str = "",
    ) -> None:
        super().__init__()
        self._engine = engine
        self._bus = bus
        self._replicas = replicas
        self.committer = Committer(engine, bus, metrics, on_commit, signatures, region)
        """What is done with a batch."""
        self._reconciled = -math.inf
        self._warned = -math.inf
        self._patience: asyncio.Timeout | None = None
        self._metrics = metrics
        self.buffer = FairBuffer(quota=Quota(events_per_minute))
        """What was fetched and is not committed."""
        self._filled = asyncio.Event()
        self._emptier = asyncio.Event()
        self._reachable = asyncio.Event()
        self._reachable.set()
        self._events_per_envelope = 1.0
        self._envelopes = 0
        bus.on_disconnect(self._disconnected)

    @property
    def events_per_envelope(self) -> float:
        """How many events an envelope has had of late."""
        return self._events_per_envelope

    @property
    def waiting_instances(self) -> int:
        """How many instances have something here that is not committed."""
        return self.buffer.owners

    async def run(self) -> None:
        """Go on for ever; whatever is away is waited for, and what was not acknowledged comes again."""
        await together(self._fetch_for_ever(), self._commit_for_ever())

    async def close(self) -> None:
        """Let another hub have what is not committed."""
        await self._empty()

    async def _fetch_for_ever(self) -> None:
        while True:
            await self._bus.connected.wait()
            await self._reachable.wait()
            try:
                await self._fill_from_stream()
            except (UnreachableError, nats.errors.Error, TimeoutError, OSError) as error:
                log.warning("ingest interrupted", error=str(error) or type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _fill_from_stream(self) -> None:
        jetstream = self._bus.jetstream()
        subscription: JetStreamContext.PullSubscription | None = None
        extended = time.monotonic()
        try:
            while self._reachable.is_set():
                if subscription is None or time.monotonic() - self._reconciled > RECONCILE_SECONDS:
                    await stream.reconcile(jetstream, self._replicas)
                    self._reconciled = time.monotonic()
                if subscription is None:
                    subscription = await jetstream.pull_subscribe_bind(stream.CONSUMER, stream=subjects.STREAM)
                await self._buffer_all(await self._fetch(subscription))
                if time.monotonic() - extended > EXTEND_SECONDS:
                    await self._extend()
                    extended = time.monotonic()
        finally:
            if subscription is not None and self._bus.connected.is_set():
                await subscription.unsubscribe()

    async def _fetch(self, subscription: JetStreamContext.PullSubscription) -> list[Msg]:
        """Wait for messages; none came for 5 s, or the connection was lost (of itself a fetch would not notice)."""
        try:
            async with asyncio.timeout(None) as self._patience:
                return await subscription.fetch(FETCH_MAX, timeout=FETCH_SECONDS)
        except TimeoutError:
            return []
        finally:
            self._patience = None

    def _disconnected(self) -> None:
        """Behind the next connection the stream may be another one, older or empty."""
        self._reconciled = -math.inf
        if self._patience is not None:
            self._patience.reschedule(0)

    async def _buffer_all(self, messages: Iterable[Msg]) -> None:
        """Read messages into the buffer; when some do not fit, wait until others are committed."""
        given_back = []
        for message in messages:
            held = Held.of(message)
            self._envelopes = min(self._envelopes + 1, AVERAGE_OVER)
            self._events_per_envelope += (held.events - self._events_per_envelope) / self._envelopes
            if self.buffer.is_too_much(held):
                await self._leave_to_sender(held)
                continue
            given_back += self.buffer.put(held)
            self._filled.set()
            await asyncio.sleep(0)  # reading an envelope takes a quarter of a millisecond, and others wait
        if given_back:
            self._emptier.clear()
            await self._give_back(given_back, GIVEN_BACK_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptier.wait(), FETCH_SECONDS)

    async def _leave_to_sender(self, held: Held) -> None:
        """Let go of a message without a receipt: its sender has it, and sends it again later."""
        self._metrics.events_deferred.inc(held.events)
        if time.monotonic() - self._warned > WARN_SECONDS:
            self._warned = time.monotonic()
            log.warning("above its quota: the rest is left to its sender", instance=held.owner)
        with contextlib.suppress(nats.errors.Error):
            await held.message.ack()

    async def _extend(self) -> None:
        """Say that what waits here is not lost: else it would be delivered again, the more the longer the queue."""
        for held in self.buffer:
            await held.message.in_progress()

    async def _commit_for_ever(self) -> None:
        begun = -math.inf
        while True:
            await self._filled.wait()
            if self.buffer.events < BATCH_EVENTS_MAX:
                await asyncio.sleep(max(0.0, begun + GATHER_SECONDS - time.monotonic()))
            begun = time.monotonic()
            batch = self.buffer.take()
            if not self.buffer.events:
                self._filled.clear()
            if not batch:
                await asyncio.sleep(GATHER_SECONDS)  # all that wait are above their quota; another may come any time
                continue
            try:
                await self._take_or_give_back(batch)
            except UnreachableError as error:
                log.warning("ingest interrupted", error=str(error))
                await self._await_database()
            self._emptier.set()

    async def _await_database(self) -> None:
        """Give everything back and fetch no more until the database answers."""
        self._reachable.clear()
        try:
            while not self._reachable.is_set():
                await self._empty()
                with contextlib.suppress(UnreachableError):
                    await wait_until_reachable(self._engine, FETCH_SECONDS)
                    self._reachable.set()
        finally:
            self._reachable.set()

    async def _empty(self) -> None:
        self._filled.clear()
        await self._give_back(self.buffer.clear(), RETRY_SECONDS)

    async def _take_or_give_back(self, batch: Sequence[Held]) -> None:
        """Take a batch; when that fails, or we stop, it comes again at once, here or to another hub."""
        traces = [(held.message.headers or {}).get(TRACEPARENT, "") for held in batch]
        try:
            with tracing.span("ingest", kind="consumer", parents=traces, envelopes=len(batch)):
                await self.committer.take(batch)
        except (UnreachableError, asyncio.CancelledError):
            await self._give_back(batch, RETRY_SECONDS)
            raise

    async def _give_back(self, many: Iterable[Held], delay_seconds: float) -> None:
        for held in many:
            with contextlib.suppress(nats.errors.Error):
                await held.message.nak(delay=delay_seconds)
