"""How an instance and centralcloud agree on what has arrived, and who is alive."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from schemas.names import Count, Epoch, EventId, Text, Timestamp

EventHash = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$(?!\n)", description="blake2b-64 of an event's bytes, hex")]


class SyncRequest(Struct, frozen=True, kw_only=True):
    """Asked on every connect and every minute: how much of me has arrived."""

    epoch: Epoch
    head: Count
    """The highest sequence numbered so far in this epoch."""
    holder: EventId
    """Random, new at every start of the daemon."""
    previous_holder: EventId | None = None
    """The holder before this one in the same database: how a restart is told from a clone."""
    hostname: Text = ""
    version: Text = ""


class Receipt(Struct, frozen=True, kw_only=True, tag_field="type", tag="intelligence.receipt.v1"):
    """Centralcloud's word: everything of `epoch` up to `wm` is committed in its database."""

    epoch: Epoch
    wm: Count
    wm_hash: EventHash | None = None
    """Hash of the event at `wm`: an instance with another event there is a clone or was restored."""
    gaps: tuple[tuple[int, int], ...] = ()
    """Ranges missing between `wm` and what arrived later, first and last inclusive."""
    durable_wm: Count = 0
    """Up to here it would survive the loss of the central database."""
    rotate_after: Epoch | None = None
    """Set when the instance must start an epoch later than this one and say everything again."""


class Heartbeat(Struct, frozen=True, kw_only=True, tag_field="type", tag="system.heartbeat.v1"):
    """Core NATS, every few seconds: this instance lives."""

    time: Timestamp
    holder: EventId
    status: Text = "online"
    hostname: Text = ""
    pid: Count = 0
    version: Text = ""
    started: Timestamp | None = None
    load: Count = 0
    """Jobs running now."""
    role: Text = "hybrid"
    region: Text = ""
    capabilities: tuple[Text, ...] = ()
    epoch: Epoch | None = None
    head: Count = 0
    """Highest sequence numbered."""
    confirmed: Count = 0
    """Highest sequence confirmed by a receipt."""
    insight_version: Count = 0


class Goodbye(Struct, frozen=True, kw_only=True, tag_field="type", tag="system.goodbye.v1"):
    """Core NATS, once: this instance stops by its own will."""

    time: Timestamp
    holder: EventId
    reason: Text = ""
