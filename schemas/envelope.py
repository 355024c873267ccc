"""A batch of events of one instance, contiguous in sequence, as it crosses the bus."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Raw, Struct

from schemas.names import Epoch, Timestamp

EVENTS_MAX: Final = 100
BYTES_MAX: Final = 256 * 1024

POSTED_EPOCH: Final = "0" * 32
"""Of events whose sender numbers nothing: centralcloud does, in the order in which it takes them in."""

POST_KEY: Final = "post"
"""In the metadata of such an envelope: the same key is the same envelope, and taken in once."""

Sequence = Annotated[int, Meta(ge=1, le=2**53 - 1, description="gapless within an epoch, first is 1")]


class Source(Struct, frozen=True, kw_only=True):
    """Where a message says it comes from. Informative: the sender is read from the subject."""

    instance_id: str
    hostname: str = ""
    environment: str = ""


class Batch(Struct, frozen=True, kw_only=True):
    """Events `first_seq`, `first_seq + 1`, ... of one epoch, each as the bytes the instance committed."""

    epoch: Epoch
    first_seq: Sequence
    events: Annotated[tuple[Raw, ...], Meta(min_length=1, max_length=EVENTS_MAX)]

    @property
    def last_seq(self) -> int:
        """The sequence of the last event."""
        return self.first_seq + len(self.events) - 1


class Envelope(Struct, frozen=True, kw_only=True, tag_field="type", tag="intelligence.envelope.v1"):
    """One message of an instance on `intelligence.<domain>.<kind>.learned.<tenant>.<instance>`."""

    timestamp: Timestamp
    source: Source
    data: Batch
    version: str = "1.0"
    correlation_id: str = ""
    metadata: dict[str, str] = {}
