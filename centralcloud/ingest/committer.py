"""One batch of messages: committed, acknowledged, and confirmed to whoever sent it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import nats.errors
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.config import SignaturePolicy
from centralcloud.ingest.arrivals import Arrival, DeadLetter, Lineage
from centralcloud.ingest.border import Border
from centralcloud.ingest.buffer import Held
from centralcloud.ingest.commit import Committed, commit
from centralcloud.ingest.signatures import Signatures
from schemas import subjects
from schemas.codec import encode
from schemas.subjects import Sender
from schemas.sync import Receipt
from shared.bus import Bus
from shared.database import transaction
from shared.metrics import Metrics

log = structlog.get_logger(__name__)


class Committer:
    """Takes batches into the database."""

    def __init__(
        self,
        engine: AsyncEngine,
        bus: Bus,
        metrics: Metrics,
        on_commit: Callable[[], None],
        signatures: SignaturePolicy = "known",
        region: str = "",
    ) -> None:
        self._engine = engine
        self._bus = bus
        self._metrics = metrics
        self._on_commit = on_commit
        self._border = Border(engine, region)
        self._signatures = Signatures(engine, metrics, signatures)

    async def take(self, batch: Sequence[Held]) -> None:
        """Commit a batch, then acknowledge it, then send receipts; `UnreachableError` while the database is away."""
        arrivals = [held.found for held in batch if isinstance(held.found, Arrival)]
        letters = [held.found for held in batch if isinstance(held.found, DeadLetter)]
        with self._metrics.ingest_seconds.time():
            arrivals, letters = await self._border.let_in(arrivals, letters)
            taken, refused = await self._signatures.sift(arrivals)
            batches = await self._commit(taken, [*letters, *refused])
        for held in batch:
            with contextlib.suppress(nats.errors.Error):  # it comes again, and is known by then
                await held.message.ack()
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
            self._metrics.receipts_sent.inc()

    def _count(self, done: Committed) -> None:
        self._metrics.events_received.inc(done.events)
        self._metrics.events_repeated.inc(done.repeated)
        self._metrics.forks.inc(done.forks)
        self._metrics.dead_letters.inc(done.dead_letters)
