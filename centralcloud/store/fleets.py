"""`fleet`: what the insights now stored were measured against: holdings, a digest per language, and how many do."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.config import INSTANCES_MIN
from schemas.codec import encode

_READ = text("SELECT CAST(body AS text) FROM fleet WHERE tenant = :tenant")
_WRITE = text("""
    INSERT INTO fleet (tenant, body) VALUES (:tenant, CAST(:body AS jsonb))
    ON CONFLICT (tenant) DO UPDATE SET body = excluded.body
""")
_INSTANCES_MIN = text("SELECT instances_min FROM fleet WHERE tenant = :tenant")
_REQUIRE = text("""
    INSERT INTO fleet (tenant, body, instances_min) VALUES (:tenant, '{}', :instances_min)
    ON CONFLICT (tenant) DO UPDATE SET instances_min = excluded.instances_min
""")


async def instances_min(connection: AsyncConnection, tenant: str) -> int:
    """Read how many instances are enough for the insights that are there."""
    return (await connection.execute(_INSTANCES_MIN, {"tenant": tenant})).scalar() or INSTANCES_MIN


async def require(connection: AsyncConnection, tenant: str, instances_min: int) -> None:
    """Keep how many instances are enough from now on."""
    await connection.execute(_REQUIRE, {"tenant": tenant, "instances_min": instances_min})


async def measured(connection: AsyncConnection, tenant: str) -> dict[str, str]:
    """Read the digests by language; empty when nothing was measured yet."""
    body = (await connection.execute(_READ, {"tenant": tenant})).scalar()
    return msgspec.json.decode(body, type=dict[str, str]) if body else {}


async def remember(connection: AsyncConnection, tenant: str, digests: Mapping[str, str]) -> None:
    """Keep the digests insights are measured against from now on."""
    await connection.execute(_WRITE, {"tenant": tenant, "body": encode(digests).decode()})
