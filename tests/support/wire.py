"""What an instance puts on the wire, made by hand: also what no honest instance would send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import nats
from msgspec import Raw
from nats.aio.client import Client

from schemas import subjects
from schemas.codec import encode
from schemas.envelope import Batch, Envelope, Source
from schemas.events import CodePatternLearned
from schemas.headers import MESSAGE_ID
from schemas.subjects import Sender
from shared.signing import Signer
from tests.support.patterns import TOPIC, fingerprint, repository_key

EPOCH = "0" * 31 + "1"
ONE = Sender("default", "one")


@asynccontextmanager
async def plain_client(url: str) -> AsyncIterator[Client]:
    """Give a client that knows nothing of Flocklore."""
    client = await nats.connect(url)
    try:
        yield client
    finally:
        await client.close()


def event(number: int, *, files: int = 3, version: int = 1, event_id: str = "e" * 32) -> bytes:
    """The bytes of one event about a pattern."""
    return encode(
        CodePatternLearned(
            id=event_id,
            time=datetime(2026, 1, 1, tzinfo=UTC),
            fingerprint=fingerprint(number),
            repository=repository_key("repo"),
            version=version,
            files=files,
            occurrences=2 * files,
            language="python",
            view="statement",
        )
    )


def envelope(first_seq: int, events: Sequence[bytes], epoch: str = EPOCH) -> bytes:
    """The bytes of one envelope."""
    batch = Batch(epoch=epoch, first_seq=first_seq, events=tuple(Raw(body) for body in events))
    return encode(
        Envelope(timestamp=datetime(2026, 1, 1, tzinfo=UTC), source=Source(instance_id="somebody"), data=batch)
    )


async def send(
    client: Client,
    body: bytes,
    *,
    sender: Sender = ONE,
    message_id: str | None = None,
    signer: Signer | None = None,
) -> bool:
    """Publish an envelope about code patterns; returns whether JetStream swallowed it as a duplicate."""
    subject = subjects.learned(TOPIC, sender)
    headers = {MESSAGE_ID: message_id} if message_id else {}
    headers |= signer.seal(subject, message_id or "", body) if signer else {}
    acknowledged = await client.jetstream().publish(subject, body, headers=headers or None)
    return bool(acknowledged.duplicate)
