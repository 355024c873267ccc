"""Who speaks for an instance, and whether it lives. Ages by the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode
from schemas.subjects import Sender
from schemas.sync import Goodbye, Heartbeat, SyncRequest

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
_HEARTBEAT = text("""
    UPDATE instance_registry
       SET status = :status, hostname = :hostname, pid = :pid, version = :version, started_at = :started,
           load = :load, role = :role, region = :region, capabilities = CAST(:capabilities AS jsonb), epoch = :epoch,
           head = :head, confirmed = :confirmed, insight_version = :insight_version,
           last_heartbeat = clock_timestamp()
     WHERE (tenant, instance_id, holder) = (:tenant, :instance, :holder)
""")
_GOODBYE = text("""
    UPDATE instance_registry SET status = 'offline'
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


async def heartbeat(connection: AsyncConnection, sender: Sender, beat: Heartbeat) -> bool:
    """Note that an instance lives; False when it is not the registered holder."""
    values: dict[str, Any] = _sender(sender) | {
        "status": beat.status,
        "hostname": beat.hostname,
        "pid": beat.pid,
        "version": beat.version,
        "started": beat.started,
        "load": beat.load,
        "role": beat.role,
        "region": beat.region,
        "capabilities": encode(beat.capabilities).decode(),
        "epoch": beat.epoch,
        "head": beat.head,
        "confirmed": beat.confirmed,
        "insight_version": beat.insight_version,
        "holder": beat.holder,
    }
    return (await connection.execute(_HEARTBEAT, values)).rowcount == 1


async def goodbye(connection: AsyncConnection, sender: Sender, word: Goodbye) -> None:
    """Note that an instance stopped by its own will."""
    await connection.execute(_GOODBYE, _sender(sender) | {"holder": word.holder})


def _sender(sender: Sender) -> dict[str, Any]:
    return {"tenant": sender.tenant, "instance": sender.instance}
