"""How centralcloud asks its publishers to slow down while more has been sent than it could take in yet."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.names import Count, Timestamp

EventsPerSecond = Annotated[float, Meta(ge=0.01, le=1_000_000)]
HintSeconds = Annotated[float, Meta(ge=0.1, le=300)]


class FlowHint(Struct, frozen=True, kw_only=True, tag_field="type", tag="intelligence.flow.v1"):
    """Core NATS, every few seconds while it lasts: a hint that runs out by itself, and that nobody has to know."""

    timestamp: Timestamp
    state: Literal["slow", "free"]
    """free: said once, when less than half of what was too much still waits."""
    pending: Count
    """Events in the stream that are not committed, estimated from its envelopes."""
    events_per_second: EventsPerSecond
    """What each instance may send while it is slow."""
    expires_seconds: HintSeconds
    """Counted from when it is heard: who hears no more of it sends as before."""
