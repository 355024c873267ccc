"""Dead letters as they are looked at: newest first, those of a tenant and those of which none can be read."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

EXCERPT_BYTES: Final = 400
_NEWEST: Final = 2**63 - 1

_PAGE = text("""
    SELECT id, instance, subject, epoch, seq, error, octet_length(body) AS size_bytes,
           substring(body FROM 1 FOR :excerpt) AS excerpt, received_at, replayed_at
      FROM dead_letters
     WHERE id < :before AND (tenant IS NULL OR tenant = :tenant) AND (:replayed OR replayed_at IS NULL)
     ORDER BY id DESC LIMIT :limit
""")


class Letter(Struct, frozen=True, kw_only=True):
    """One letter, and the beginning of it."""

    id: int
    instance: str | None
    subject: str
    epoch: str | None
    seq: int | None
    error: str
    size_bytes: int
    excerpt: bytes
    received_at: datetime
    replayed_at: datetime | None


async def page(
    connection: AsyncConnection, tenant: str, limit: int, *, replayed: bool, before: int | None = None
) -> list[Letter]:
    """Read letters before one of them, newest first; with `replayed` also those that were applied since."""
    values = {"tenant": tenant, "limit": limit, "replayed": replayed, "before": before or _NEWEST}
    rows = (await connection.execute(_PAGE, values | {"excerpt": EXCERPT_BYTES})).mappings()
    return [Letter(**row) for row in rows]
