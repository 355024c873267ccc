"""Who speaks for an instance, and whether it lives. Ages by the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from msgspec import structs
from psycopg.types.json import Json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode
from schemas.subjects import Sender
from schemas.sync import Goodbye, Heartbeat, SyncRequest

_YEARS: Final = range(1970, 9999)
"""In which a process can have started, in any zone."""

_CLAIM = text("""
    INSERT INTO instance_registry AS r
           (tenant, instance_id, hostname, status, version, holder, epoch, head, last_heartbeat)
    VALUES (:tenant, :instance, :hostname, 'online', :version, :holder, :epoch, :head, clock_timestamp())
    ON CONFLICT (tenant, instance_id) DO UPDATE
       SET hostname = excluded.hostname, status = 'online', version = excluded.version, holder = excluded.holder,
           epoch = excluded.epoch, head = excluded.head, last_heartbeat = excluded.last_heartbeat
     WHERE r.holder = excluded.holder OR r.status = 'offline'
        OR r.last_heartbeat < clock_timestamp() - make_interval(secs =>
              CASE r.holder WHEN CAST(:previous_holder AS text) THEN :silence_seconds ELSE :suspect_seconds END)
    RETURNING 1
""")
_HOLDER = text("""
    SELECT hostname, extract(epoch FROM clock_timestamp() - last_heartbeat)::float AS age,
           holder = CAST(:previous_holder AS text) AS ours_before
      FROM instance_registry WHERE (tenant, instance_id) = (:tenant, :instance)
""")
_HEARTBEATS = text("""
    UPDATE instance_registry r
       SET status = CASE WHEN n.status IN ('paused', 'draining') THEN n.status ELSE 'online' END,
           hostname = n.hostname, pid = n.pid, version = n.version, started_at = n.started,
           load = n.load, role = n.role, region = n.region, capabilities = n.capabilities, epoch = n.epoch,
           head = n.head, confirmed = n.confirmed, insight_version = n.insight_version,
           last_heartbeat = clock_timestamp() - make_interval(secs => n.age_seconds)
      FROM json_to_recordset(:beats)
           AS n(tenant text, instance text, holder text, status text, hostname text, pid bigint, version text,
                started timestamptz, load bigint, role text, region text, capabilities jsonb, epoch text, head bigint,
                confirmed bigint, insight_version bigint, age_seconds float)
     WHERE (r.tenant, r.instance_id, r.holder) = (n.tenant, n.instance, n.holder)
       AND r.last_heartbeat < clock_timestamp() - make_interval(secs => n.age_seconds)
""")
_GOODBYE = text("""
    UPDATE instance_registry SET status = 'offline', last_heartbeat = clock_timestamp()
     WHERE (tenant, instance_id, holder) = (:tenant, :instance, :holder)
""")


@dataclass(frozen=True)
class Patience:
    """How long a holder must not have been heard before another may take its place."""

    silence_seconds: float = 7.5
    """A restart of the same database: one and a half heartbeats, in which a clone would hear the original."""
    suspect_seconds: float = 30.0
    """Anybody else."""


@dataclass(frozen=True)
class OtherHolder:
    """Who speaks for an instance already."""

    description: str
    ours_before: bool
    """It is the daemon that ran on this database before, or a copy of it: if it is dead, it will soon be silent."""


async def claim(
    connection: AsyncConnection, sender: Sender, request: SyncRequest, patience: Patience
) -> OtherHolder | None:
    """Let a daemon speak for its instance; returns None, or who does already."""
    values = _sender(sender) | {
        "hostname": request.hostname,
        "version": request.version,
        "holder": request.holder,
        "previous_holder": request.previous_holder,
        "epoch": request.epoch,
        "head": request.head,
        "silence_seconds": patience.silence_seconds,
        "suspect_seconds": patience.suspect_seconds,
    }
    if (await connection.execute(_CLAIM, values)).scalar() is not None:
        return None
    asked = _sender(sender) | {"previous_holder": request.previous_holder}
    row = (await connection.execute(_HOLDER, asked)).one()
    heard = f"a daemon on {row.hostname or 'another machine'}, heard {row.age:.0f} s ago"
    return OtherHolder(heard, ours_before=bool(row.ours_before))


class Heard(NamedTuple):
    """A heartbeat, and how long ago it was heard; of each (sender, holder) there may be one in a batch."""

    sender: Sender
    beat: Heartbeat
    age_seconds: float


async def heartbeats(connection: AsyncConnection, many: Sequence[Heard]) -> int:
    """Note who lives, in one statement; returns of how many it was news.

    Of a daemon that is not the registered holder, or that was heard later (its goodbye, by another hub), it is none.
    """
    rows = [_row(heard) for heard in sorted(many, key=lambda heard: heard.sender)]
    return (await connection.execute(_HEARTBEATS, {"beats": Json(rows, dumps=encode)})).rowcount


async def goodbye(connection: AsyncConnection, sender: Sender, word: Goodbye) -> None:
    """Note that an instance stopped by its own will."""
    await connection.execute(_GOODBYE, _sender(sender) | {"holder": word.holder})


def _row(heard: Heard) -> dict[str, Any]:
    told = {key: value for key, value in structs.asdict(heard.beat).items() if key != "time"}  # clocks of others differ
    return _sender(heard.sender) | told | {"started": _started(heard.beat), "age_seconds": heard.age_seconds}


def _started(beat: Heartbeat) -> datetime | None:
    """When it started, in UTC: the wire has zones, and years, that PostgreSQL or whoever reads from it does not."""
    told = beat.started
    return told.astimezone(UTC) if told is not None and told.year in _YEARS else None


def _sender(sender: Sender) -> dict[str, Any]:
    return {"tenant": sender.tenant, "instance": sender.instance}
