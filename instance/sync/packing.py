"""Numbered events into envelopes: contiguous, of one topic and trace, at most 100 events or 256 KB. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import Raw

from instance.store.outbox import Numbered
from schemas.codec import encode
from schemas.envelope import BYTES_MAX, EVENTS_MAX, Batch, Envelope, Source
from schemas.subjects import Topic


@dataclass(frozen=True)
class Parcel:
    """Events that go out together."""

    topic: Topic
    events: tuple[Numbered, ...]

    @property
    def first_seq(self) -> int:
        """Sequence of the first event."""
        return self.events[0].seq

    @property
    def last_seq(self) -> int:
        """Sequence of the last event."""
        return self.events[-1].seq

    @property
    def traceparent(self) -> str:
        """The trace its events were made in; empty when there was none."""
        return self.events[0].traceparent

    def message_id(self, instance_id: str, epoch: str) -> str:
        """The same for a retry of one send, another for a replay: JetStream swallows a replay under an old id."""
        attempt = max(event.attempt for event in self.events)
        return f"{instance_id}.{epoch}.{self.first_seq}-{self.last_seq}.{attempt}"

    def envelope(self, epoch: str, source: Source, timestamp: datetime) -> bytes:
        """Encode, each event byte for byte as it was committed."""
        batch = Batch(epoch=epoch, first_seq=self.first_seq, events=tuple(Raw(event.body) for event in self.events))
        return encode(Envelope(timestamp=timestamp, source=source, data=batch))


def pack(events: Sequence[Numbered]) -> Iterator[Parcel]:
    """Split events, ordered by sequence, into parcels."""
    parcel: list[Numbered] = []
    size = 0
    for event in events:
        full = len(parcel) == EVENTS_MAX or size + len(event.body) > BYTES_MAX
        if parcel and (full or not _together(parcel[-1], event)):
            yield Parcel(parcel[0].topic, tuple(parcel))
            parcel, size = [], 0
        parcel.append(event)
        size += len(event.body)
    if parcel:
        yield Parcel(parcel[0].topic, tuple(parcel))


def _together(before: Numbered, event: Numbered) -> bool:
    """Whether an event may follow another in an envelope."""
    contiguous = event.seq == before.seq + 1
    return contiguous and event.topic == before.topic and event.traceparent == before.traceparent
