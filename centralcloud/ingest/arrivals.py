"""From a message of the stream to what it carries, or to a dead letter. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import Raw

from schemas.codec import InvalidMessageError, decode, event_hash
from schemas.envelope import POST_KEY, POSTED_EPOCH, Envelope
from schemas.subjects import Sender, sender_of
from shared.signing import Seal

POST_KEY_MAX: Final = 80


@dataclass(frozen=True)
class Arrival:
    """One decoded envelope; who sent it is read from the subject, never from the body."""

    sender: Sender
    epoch: str
    first_seq: int
    events: tuple[Raw, ...]
    hashes: tuple[bytes, ...]
    post: str = ""
    """Key of an envelope that is still to be numbered; empty: its sender did."""
    subject: str = ""
    body: bytes = b""
    """As it came."""
    seal: Seal | None = None
    """What it says of its signature; None: it is not signed."""

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
        for index, (raw, hashed) in enumerate(zip(self.events, self.hashes, strict=True)):
            post = f"{self.post}#{index}" if self.post else ""
            yield Arrival(self.sender, self.epoch, self.first_seq + index, (raw,), (hashed,), post)


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


def read(subject: str, data: bytes, headers: Mapping[str, str] | None = None) -> Arrival | DeadLetter:
    """Decode one message of the stream."""
    sender = sender_of(subject)
    if sender is None:
        return DeadLetter(subject, data, "the subject does not name a tenant and an instance")
    try:
        envelope = decode(data, Envelope)
    except InvalidMessageError as error:
        return DeadLetter(subject, data, str(error))
    batch, post = envelope.data, ""
    if batch.epoch == POSTED_EPOCH:
        post = envelope.metadata.get(POST_KEY, "")
        if not 0 < len(post) <= POST_KEY_MAX or "\0" in post:
            return DeadLetter(subject, data, f"what is not numbered needs a key of at most {POST_KEY_MAX} characters")
    hashes = tuple(map(event_hash, batch.events))
    seal = Seal.of(headers)
    return Arrival(sender, batch.epoch, batch.first_seq, batch.events, hashes, post, subject, data, seal)
