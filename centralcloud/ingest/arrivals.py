"""From a message of the stream to what it carries, or to a dead letter. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import Raw

from schemas.codec import InvalidMessageError, decode, event_hash
from schemas.envelope import Envelope
from schemas.subjects import Sender, sender_of


@dataclass(frozen=True)
class Arrival:
    """One decoded envelope; who sent it is read from the subject, never from the body."""

    sender: Sender
    epoch: str
    first_seq: int
    events: tuple[Raw, ...]
    hashes: tuple[bytes, ...]

    @property
    def last_seq(self) -> int:
        """Sequence of the last event."""
        return self.first_seq + len(self.events) - 1

    @property
    def lineage(self) -> Lineage:
        """The sequence these events belong to."""
        return Lineage(self.sender.tenant, self.sender.instance, self.epoch)

    def singles(self) -> Iterator[Arrival]:
        """The same events, one by one."""
        for seq, raw, hashed in zip(range(self.first_seq, self.last_seq + 1), self.events, self.hashes, strict=True):
            yield Arrival(self.sender, self.epoch, seq, (raw,), (hashed,))


@dataclass(frozen=True, order=True)
class Lineage:
    """One gapless sequence: an epoch of an instance of a tenant."""

    tenant: str
    instance: str
    epoch: str


@dataclass(frozen=True)
class DeadLetter:
    """What could not be decoded, whole (`seq` is None) or one event of an envelope."""

    subject: str
    body: bytes
    error: str
    lineage: Lineage | None = None
    seq: int | None = None


def read(subject: str, data: bytes) -> Arrival | DeadLetter:
    """Decode one message of the stream."""
    sender = sender_of(subject)
    if sender is None:
        return DeadLetter(subject, data, "the subject does not name a tenant and an instance")
    try:
        batch = decode(data, Envelope).data
    except InvalidMessageError as error:
        return DeadLetter(subject, data, str(error))
    return Arrival(sender, batch.epoch, batch.first_seq, batch.events, tuple(map(event_hash, batch.events)))
