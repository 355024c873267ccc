"""`fleet`: which holdings the insights now stored were measured against, a digest per language."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode

_READ = text("SELECT CAST(body AS text) FROM fleet WHERE tenant = :tenant")
_WRITE = text("""
    INSERT INTO fleet (tenant, body) VALUES (:tenant, CAST(:body AS jsonb))
    ON CONFLICT (tenant) DO UPDATE SET body = excluded.body
""")


async def measured(connection: AsyncConnection, tenant: str) -> dict[str, str]:
    """Read the digests by language; empty when nothing was measured yet."""
    body = (await connection.execute(_READ, {"tenant": tenant})).scalar()
    return msgspec.json.decode(body, type=dict[str, str]) if body else {}


async def remember(connection: AsyncConnection, tenant: str, digests: Mapping[str, str]) -> None:
    """Keep the digests insights are measured against from now on."""
    await connection.execute(_WRITE, {"tenant": tenant, "body": encode(digests).decode()})
