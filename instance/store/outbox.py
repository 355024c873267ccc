"""Events on their way to centralcloud, in the same database as what they tell of.

An event is appended in the transaction that changes what it tells of; the relay, alone, numbers committed events
without gaps; it stays until centralcloud would survive the loss of its own database.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.subjects import Topic
from shared import tracing
from shared.errors import ContractError

RESEND_SECONDS: Final = 30.0
RESEND_SECONDS_MAX: Final = 600.0
RETENTION_DAYS: Final = 14
_BATCH: Final = 1000
_MILLISECONDS_MAX: Final = 2**48 - 1


@dataclass(frozen=True)
class Uplink:
    """How far this instance has numbered and been confirmed in its epoch."""

    epoch: str
    head: int
    confirmed: int
    rotations: int
    share_since: datetime | None


@dataclass(frozen=True, order=True)
class Numbered:
    """One event that has its place in the sequence."""

    seq: int
    topic: Topic
    body: bytes
    attempt: int
    """This one; the first is 1."""
    traceparent: str = ""
    """The trace it was made in; empty when there was none."""


_FIRST_EPOCH = text("INSERT INTO uplink (epoch) VALUES (:epoch) ON CONFLICT DO NOTHING")
_GET = text("SELECT epoch, head, confirmed, rotations, share_since FROM uplink")
_LOCK = text("SELECT epoch, head, confirmed, rotations, share_since FROM uplink FOR UPDATE")
_SHARE = text("UPDATE uplink SET share_since = now() WHERE share_since IS NULL RETURNING 1")
_APPEND = text("""
    INSERT INTO outbox (domain, kind, body, traceparent) VALUES (:domain, :kind, :body, :traceparent)
""").bindparams(bindparam("body", type_=BYTEA))
_NUMBER = text("""
    WITH head AS (
        SELECT epoch, head FROM uplink FOR UPDATE
    ), batch AS (
        SELECT id, row_number() OVER (ORDER BY domain, kind, id) AS place
          FROM (SELECT id, domain, kind FROM outbox WHERE seq IS NULL ORDER BY id LIMIT :limit) AS next
    ), numbered AS (
        UPDATE outbox o
           SET epoch = head.epoch, seq = head.head + batch.place, attempt = 1, sent_at = clock_timestamp()
          FROM batch, head WHERE o.id = batch.id
        RETURNING o.seq, o.domain, o.kind, o.body, o.attempt, o.traceparent
    ), moved AS (
        UPDATE uplink SET head = head + (SELECT count(*) FROM numbered)
    )
    SELECT seq, domain, kind, body, attempt, traceparent FROM numbered
""")
_TAKE_DUE = text("""
    WITH due AS (
        SELECT o.id FROM outbox o JOIN uplink u ON u.epoch = o.epoch
         WHERE o.confirmed_at IS NULL
           AND (o.sent_at IS NULL OR o.sent_at < clock_timestamp() - make_interval(
                    secs => least(:resend_max, :resend * power(2, least(greatest(o.attempt - 1, 0), 30)))))
         ORDER BY o.seq LIMIT :limit
    )
    UPDATE outbox o SET attempt = o.attempt + 1, sent_at = clock_timestamp() FROM due WHERE o.id = due.id
    RETURNING o.seq, o.domain, o.kind, o.body, o.attempt, o.traceparent
""")
_UNMARK_SENT = text("""
    UPDATE outbox SET sent_at = NULL
     WHERE epoch = :epoch AND seq BETWEEN :first AND :last AND confirmed_at IS NULL
""")
_BODY_AT = text("SELECT body FROM outbox WHERE epoch = :epoch AND seq = :seq")
_CONFIRM = text("""
    WITH u AS (
        UPDATE uplink SET confirmed = greatest(confirmed, :wm) WHERE epoch = :epoch
    )
    UPDATE outbox SET confirmed_at = clock_timestamp()
     WHERE epoch = :epoch AND seq <= :wm AND confirmed_at IS NULL
""")
_TAKE_BACK = text("""
    WITH u AS (
        UPDATE uplink SET confirmed = :wm WHERE epoch = :epoch
    )
    UPDATE outbox SET confirmed_at = NULL, sent_at = NULL WHERE epoch = :epoch AND seq > :wm
""")
_OLDEST = text("SELECT min(seq) FROM outbox WHERE epoch = :epoch")
_NEW_EPOCH = text("""
    UPDATE uplink SET epoch = :epoch, head = 0, confirmed = 0, rotations = rotations + 1
""")
_RENUMBER = text("""
    UPDATE outbox SET epoch = NULL, seq = NULL, attempt = 0, sent_at = NULL WHERE confirmed_at IS NULL
""")
_PRUNE = text("""
    DELETE FROM outbox
     WHERE confirmed_at IS NOT NULL
       AND ((epoch = :epoch AND seq <= :durable_wm) OR confirmed_at < clock_timestamp() - make_interval(days => :days))
""")
_BACKLOG = text("""
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float
      FROM outbox WHERE confirmed_at IS NULL
""")


def next_epoch(*previous: str | None) -> str:
    """A new epoch, sorting after all given: 48 bits of milliseconds, 80 random bits, hex.

    Raises `ContractError` when none does: no clock shows the year 10889, and where it comes from is no clock.
    """
    known = max((int(epoch[:12], 16) for epoch in previous if epoch), default=0)
    if known >= _MILLISECONDS_MAX:
        raise ContractError(f"no epoch comes after {max(epoch for epoch in previous if epoch)}")
    return f"{max(int(time.time() * 1000), known + 1):012x}{secrets.token_hex(10)}"


async def prepare(connection: AsyncConnection) -> Uplink:
    """Make the first epoch with the database, and read where we are."""
    await connection.execute(_FIRST_EPOCH, {"epoch": next_epoch()})
    return await get(connection)


async def get(connection: AsyncConnection) -> Uplink:
    """Read where we are."""
    return Uplink(*(await connection.execute(_GET)).one())


async def lock(connection: AsyncConnection) -> Uplink:
    """Read where we are, and keep everybody else from moving on."""
    return Uplink(*(await connection.execute(_LOCK)).one())


async def start_sharing(connection: AsyncConnection) -> bool:
    """Note that a hub may hear us from now on; True the first time."""
    return (await connection.execute(_SHARE)).scalar() is not None


async def append(connection: AsyncConnection, events: Sequence[tuple[Topic, bytes]]) -> None:
    """Append encoded events, in the transaction of what they tell of."""
    trace = {"traceparent": tracing.current() or None}
    rows = [{"domain": topic.domain, "kind": topic.kind, "body": body} | trace for topic, body in events]
    for start in range(0, len(rows), _BATCH):
        await connection.execute(_APPEND, rows[start : start + _BATCH])


async def number(connection: AsyncConnection, limit: int) -> list[Numbered]:
    """Give committed events the next sequences, events of one topic side by side, and take them for their first send.

    The attempt is counted before it is made.
    """
    rows = await connection.execute(_NUMBER, {"limit": limit})
    return sorted(_numbered(row) for row in rows)


async def take_due(connection: AsyncConnection, limit: int, resend_seconds: float = RESEND_SECONDS) -> list[Numbered]:
    """Take events to be sent again: those unconfirmed for 30 s (60, 120, ... 600 s), in sequence."""
    values = {"limit": limit, "resend": resend_seconds, "resend_max": RESEND_SECONDS_MAX}
    rows = await connection.execute(_TAKE_DUE, values)
    return sorted(_numbered(row) for row in rows)


async def unmark_sent(connection: AsyncConnection, epoch: str, first: int, last: int) -> None:
    """Make unconfirmed events due at once."""
    await connection.execute(_UNMARK_SENT, {"epoch": epoch, "first": first, "last": last})


async def body_at(connection: AsyncConnection, epoch: str, seq: int) -> bytes | None:
    """The event at a sequence; None when it is no longer kept."""
    body: bytes | None = (await connection.execute(_BODY_AT, {"epoch": epoch, "seq": seq})).scalar()
    return body


async def confirm(connection: AsyncConnection, epoch: str, wm: int) -> int:
    """Everything up to `wm` has arrived; returns how many events that confirms."""
    return (await connection.execute(_CONFIRM, {"epoch": epoch, "wm": wm})).rowcount


async def take_back(connection: AsyncConnection, epoch: str, wm: int) -> None:
    """Centralcloud has forgotten what is above `wm`: send it again."""
    await connection.execute(_TAKE_BACK, {"epoch": epoch, "wm": wm})


async def oldest(connection: AsyncConnection, epoch: str) -> int | None:
    """The lowest sequence still kept in this epoch."""
    seq: int | None = (await connection.execute(_OLDEST, {"epoch": epoch})).scalar()
    return seq


async def rotate(connection: AsyncConnection, after: str | None) -> str:
    """Begin a new epoch, later than `after`; what is unconfirmed will be numbered anew. Returns the epoch."""
    current = await lock(connection)
    epoch = next_epoch(current.epoch, after)
    await connection.execute(_NEW_EPOCH, {"epoch": epoch})
    await connection.execute(_RENUMBER)
    return epoch


async def prune(connection: AsyncConnection, durable_wm: int) -> int:
    """Delete what centralcloud would not lose with its database, and what was confirmed 14 days ago."""
    epoch = (await get(connection)).epoch
    values: dict[str, Any] = {"epoch": epoch, "durable_wm": durable_wm, "days": RETENTION_DAYS}
    return (await connection.execute(_PRUNE, values)).rowcount


async def backlog(connection: AsyncConnection) -> tuple[int, float]:
    """Unconfirmed events, and the age of the oldest in seconds."""
    count, age_seconds = (await connection.execute(_BACKLOG)).one()
    return count, age_seconds


def _numbered(row: Any) -> Numbered:
    seq, domain, kind, body, attempt, traceparent = row
    return Numbered(seq, Topic(domain, kind), bytes(body), attempt, traceparent or "")


def event_identity() -> dict[str, Any]:
    """A new event's id and time."""
    return {"id": secrets.token_hex(16), "time": datetime.now(UTC)}
