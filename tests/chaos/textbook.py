"""The control: the way up as textbooks have it, which the same faults must be seen to break.

The relay deletes an event on its PubAck and relies on `Nats-Msg-Id`; the hub commits, then acknowledges. There are
no sequences, watermarks or receipts.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import nats.errors
from msgspec import Raw
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest.arrivals import Arrival
from centralcloud.ingest.buffer import Held
from centralcloud.ingest.committer import Committer
from centralcloud.ingest.consumer import Ingest
from centralcloud.ingest.effects import Effects
from centralcloud.store import intake
from instance.store import outbox
from instance.store.identity import Identity
from schemas import headers, subjects
from schemas.codec import encode
from schemas.envelope import EVENTS_MAX, Batch, Envelope, Source
from schemas.subjects import Sender
from shared.bus import Bus
from shared.database import transaction
from shared.errors import UnreachableError
from shared.metrics import Metrics
from shared.runner import run_daemon
from shared.service import Service
from tests.support.databases import central_engine
from tests.support.patterns import TOPIC

PUBLISH_SECONDS = 2.0
PAUSE_SECONDS = 0.1

_NEXT = text("SELECT id, body FROM outbox WHERE kind = 'pattern' ORDER BY id LIMIT :limit")
_DELETE = text("DELETE FROM outbox WHERE id BETWEEN :first AND :last")


class Relay(Service):
    """Publishes the oldest events and deletes them once JetStream has acknowledged them."""

    name = "relay"

    def __init__(self, engine: AsyncEngine, bus: Bus, me: Identity) -> None:
        super().__init__()
        self._engine = engine
        self._bus = bus
        self._me = me

    async def run(self) -> None:
        """Go on for ever; what was not acknowledged is published again."""
        while True:
            try:
                published = await self._publish_next()
            except (nats.errors.Error, UnreachableError, TimeoutError):
                published = False
            if not published:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _publish_next(self) -> bool:
        async with transaction(self._engine) as connection:
            rows = [(number, bytes(body)) for number, body in await connection.execute(_NEXT, {"limit": EVENTS_MAX})]
            epoch = (await outbox.get(connection)).epoch
        if not rows:
            return False
        first, last = rows[0][0], rows[-1][0]
        batch = Batch(epoch=epoch, first_seq=first, events=tuple(Raw(body) for _, body in rows))
        body = encode(
            Envelope(timestamp=datetime.now(UTC), source=Source(instance_id=self._me.instance_id), data=batch)
        )
        subject = subjects.learned(TOPIC, Sender(self._me.tenant, self._me.instance_id))
        message_id = {headers.MESSAGE_ID: f"{self._me.instance_id}.{first}-{last}"}
        await self._bus.jetstream(PUBLISH_SECONDS).publish(subject, body, headers=message_id)
        async with transaction(self._engine) as connection:
            await connection.execute(_DELETE, {"first": first, "last": last})
        return True


class TextbookCommitter(Committer):
    """Commits what a message says, then acknowledges it."""

    async def take(self, batch: Sequence[Held]) -> None:
        """Apply every event: whatever arrives is taken for new."""
        effects = Effects()
        for held in batch:
            arrival = held.found
            assert isinstance(arrival, Arrival)
            for seq, event in enumerate(arrival.events, arrival.first_seq):
                effects.add(event, arrival.lineage, seq, void=False)
        async with transaction(self._engine) as connection:
            await intake.upsert_observations(connection, effects.observations)
        for held in batch:
            await held.message.ack()


@asynccontextmanager
async def build(nats_url: str, database_url: str) -> AsyncIterator[Sequence[Service]]:
    """Yield the services of the hub in start order."""
    async with central_engine(database_url) as engine:
        metrics = Metrics()
        bus = Bus([nats_url], client_name="hub", inbox_prefix="_INBOX.centralcloud.textbook", metrics=metrics)
        ingest = Ingest(engine, bus, metrics, replicas=1, on_commit=lambda: None)
        ingest.committer = TextbookCommitter(engine, bus, metrics, on_commit=lambda: None)
        yield [bus, ingest]


if __name__ == "__main__":
    sys.exit(run_daemon(lambda: build(*sys.argv[1:])))
