"""Fetch, commit, acknowledge, send receipts: in this order, so that a crash anywhere repeats work and loses none."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Final

import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest import stream
from centralcloud.ingest.arrivals import Arrival, DeadLetter, Lineage, read
from centralcloud.ingest.commit import Committed, commit
from schemas import subjects
from schemas.codec import encode
from schemas.subjects import Sender
from schemas.sync import Receipt
from shared.bus import Bus
from shared.database import transaction
from shared.errors import UnreachableError
from shared.metrics import Metrics
from shared.service import Service

log = structlog.get_logger(__name__)

FETCH_MAX: Final = 64
FETCH_SECONDS: Final = 5.0
RECONCILE_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 0.5


class Ingest(Service):
    """The one reader of the stream in this process; several hubs may share the durable consumer."""

    name = "ingest"

    def __init__(
        self, engine: AsyncEngine, bus: Bus, metrics: Metrics, *, replicas: int, on_commit: Callable[[], None]
    ) -> None:
        super().__init__()
        self._engine = engine
        self._bus = bus
        self._metrics = metrics
        self._replicas = replicas
        self._on_commit = on_commit
        self._reconciled = -math.inf
        self._patience: asyncio.Timeout | None = None
        bus.on_disconnect(self._disconnected)

    async def run(self) -> None:
        """Go on for ever; whatever is away is waited for, and what was not acknowledged comes again."""
        while True:
            await self._bus.connected.wait()
            try:
                await self._drain_stream()
            except (UnreachableError, nats.errors.Error, TimeoutError, OSError) as error:
                log.warning("ingest interrupted", error=str(error) or type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _drain_stream(self) -> None:
        jetstream = self._bus.jetstream()
        subscription: JetStreamContext.PullSubscription | None = None
        try:
            while True:
                if subscription is None or time.monotonic() - self._reconciled > RECONCILE_SECONDS:
                    await stream.reconcile(jetstream, self._replicas)
                    self._reconciled = time.monotonic()
                if subscription is None:
                    subscription = await jetstream.pull_subscribe_bind(stream.CONSUMER, stream=subjects.STREAM)
                if messages := await self._fetch(subscription):
                    await self._take_or_give_back(messages)
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

    async def _take_or_give_back(self, messages: Sequence[Msg]) -> None:
        """Take a batch; when that fails, or we stop, it comes again at once, here or to another hub."""
        try:
            await self.take(messages)
        except (UnreachableError, asyncio.CancelledError):
            for message in messages:
                with contextlib.suppress(nats.errors.Error):
                    await message.nak(delay=RETRY_SECONDS)
            raise

    async def take(self, messages: Sequence[Msg]) -> None:
        """Commit a batch, then acknowledge it, then send receipts."""
        read_messages = [read(message.subject, message.data) for message in messages]
        arrivals = [found for found in read_messages if isinstance(found, Arrival)]
        letters = [found for found in read_messages if isinstance(found, DeadLetter)]
        with self._metrics.ingest_seconds.time():
            batches = await self._commit(arrivals, letters)
        for message in messages:
            await message.ack()
        for done in batches:
            self._count(done)
            await self._send_receipts(done.receipts)
        self._on_commit()

    async def _commit(self, arrivals: list[Arrival], letters: list[DeadLetter]) -> list[Committed]:
        """One transaction; when the database refuses the data, one envelope, then one event at a time to isolate it."""
        try:
            return [await self._transact(arrivals, letters)]
        except DBAPIError as error:
            log.warning("the database refused a batch; trying its envelopes one by one", error=str(error.orig))
        batches = [await self._transact([], letters)]
        for arrival in arrivals:
            try:
                batches.append(await self._transact([arrival], []))
            except DBAPIError:
                batches += [await self._commit_event(event) for event in arrival.singles()]
        return batches

    async def _commit_event(self, event: Arrival) -> Committed:
        try:
            return await self._transact([event], [])
        except DBAPIError as error:
            return await self._transact([event], [], poison=str(error.orig))

    async def _transact(
        self, arrivals: Sequence[Arrival], letters: Sequence[DeadLetter], *, poison: str = ""
    ) -> Committed:
        async with transaction(self._engine) as connection:
            return await commit(connection, arrivals, letters, poison=poison)

    async def _send_receipts(self, receipts: dict[Lineage, Receipt]) -> None:
        for lineage, receipt in receipts.items():
            await self._bus.hint(subjects.receipt(Sender(lineage.tenant, lineage.instance)), encode(receipt))

    def _count(self, done: Committed) -> None:
        self._metrics.events_received.inc(done.events)
        self._metrics.events_repeated.inc(done.repeated)
        self._metrics.forks.inc(done.forks)
        self._metrics.dead_letters.inc(done.dead_letters)
