"""Who this database belongs to, and who speaks for it now."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_GET = text("SELECT tenant, instance_id, holder, previous_holder FROM identity")
_ENROL = text("""
    INSERT INTO identity AS i (tenant, instance_id, holder) VALUES (:tenant, :instance_id, :holder)
    ON CONFLICT (singleton) DO UPDATE
       SET tenant = excluded.tenant, instance_id = excluded.instance_id,
           holder = excluded.holder, admitted = false,
           previous_holder = CASE WHEN i.admitted THEN i.holder ELSE i.previous_holder END
    RETURNING tenant, instance_id, holder, previous_holder
""")

_IS_SHARED = text("SELECT EXISTS (SELECT FROM workers WHERE name <> :name)")
_ADMITTED = text("UPDATE identity SET admitted = true WHERE holder = :holder")


@dataclass(frozen=True)
class Identity:
    """An instance, and the daemon that speaks for it: `holder` is new at every start."""

    tenant: str
    instance_id: str
    holder: str
    previous_holder: str | None


async def get(connection: AsyncConnection) -> Identity | None:
    """Read the identity; None before the first start."""
    row = (await connection.execute(_GET)).one_or_none()
    return Identity(*row) if row else None


async def enrol(connection: AsyncConnection, tenant: str, instance_id: str) -> Identity:
    """Write the identity with a new holder, keeping the one centralcloud knows: it may not have heard of the last."""
    values = {"tenant": tenant, "instance_id": instance_id, "holder": secrets.token_hex(16)}
    return Identity(*(await connection.execute(_ENROL, values)).one())


async def is_shared(connection: AsyncConnection, name: str) -> bool:
    """Whether a process of another name is, or was a while ago, on this database."""
    return bool((await connection.execute(_IS_SHARED, {"name": name})).scalar_one())


async def mark_admitted(connection: AsyncConnection, holder: str) -> None:
    """Note that centralcloud knows this holder."""
    await connection.execute(_ADMITTED, {"holder": holder})
