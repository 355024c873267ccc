"""Who speaks for an instance, and whether it lives. Ages by the database's clock."""

from __future__ import annotations

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
     WHERE r.holder = excluded.holder OR r.holder = CAST(:previous_holder AS text) OR r.status = 'offline'
        OR r.last_heartbeat < clock_timestamp() - make_interval(secs => :suspect_seconds)
    RETURNING 1
""")
_HOLDER = text("""
    SELECT hostname, extract(epoch FROM clock_timestamp() - last_heartbeat)::float AS age FROM instance_registry
     WHERE (tenant, instance_id) = (:tenant, :instance)
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


async def claim(
    connection: AsyncConnection, sender: Sender, request: SyncRequest, suspect_seconds: float
) -> str | None:
    """Let a daemon speak for its instance; returns None, or who does already (another live holder)."""
    values = _sender(sender) | {
        "hostname": request.hostname,
        "version": request.version,
        "holder": request.holder,
        "previous_holder": request.previous_holder,
        "epoch": request.epoch,
        "head": request.head,
        "suspect_seconds": suspect_seconds,
    }
    if (await connection.execute(_CLAIM, values)).scalar() is not None:
        return None
    row = (await connection.execute(_HOLDER, _sender(sender))).one()
    return f"a daemon on {row.hostname or 'another machine'}, heard {row.age:.0f} s ago"


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
