"""`posts`: keys of envelopes that came without a sequence, so that each is numbered once."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg.types.json import Json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode

PostKey = tuple[str, str, str]
"""Tenant, instance, key."""

_REMEMBER = text("""
    INSERT INTO posts (tenant, instance, key)
    SELECT DISTINCT tenant, instance, key FROM json_to_recordset(:posts) AS p(tenant text, instance text, key text)
     ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING
    RETURNING tenant, instance, key
""")


async def remember(connection: AsyncConnection, keys: Iterable[PostKey]) -> set[PostKey]:
    """Remember keys; returns those that were not known, to be called under the watermarks of their instances."""
    rows = [{"tenant": tenant, "instance": instance, "key": key} for tenant, instance, key in keys]
    if not rows:
        return set()
    found = await connection.execute(_REMEMBER, {"posts": Json(rows, dumps=encode)})
    return {(tenant, instance, key) for tenant, instance, key in found}
