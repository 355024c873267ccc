"""`changed_patterns`: which patterns are to be merged again.

A row is a promise that its pattern's insight will catch up with the observations. Whoever changes observations marks
them in the same transaction with ON CONFLICT DO UPDATE: `take` skips rows of transactions not yet committed, and the
marking waits while a row is taken, so that no change falls between the two. Rows are locked in the order of their
fingerprints.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# DO UPDATE, not DO NOTHING: it locks the row, so `take` leaves it alone until the observations are committed.
_MARK_INSTANCE = text("""
    INSERT INTO changed_patterns (tenant, fingerprint)
    SELECT tenant, fingerprint FROM observations WHERE tenant = :tenant AND instance = :instance
     UNION
    SELECT tenant, insight FROM insight_feedback WHERE tenant = :tenant AND instance = :instance
     ORDER BY fingerprint
    ON CONFLICT (tenant, fingerprint) DO UPDATE SET changed_at = clock_timestamp()
""")
_MARK = text("""
    INSERT INTO changed_patterns (tenant, fingerprint)
    SELECT :tenant, fingerprint FROM unnest(CAST(:fingerprints AS text[])) AS f(fingerprint) ORDER BY fingerprint
    ON CONFLICT (tenant, fingerprint) DO UPDATE SET changed_at = clock_timestamp(), fresh = true
""")
_MARK_LANGUAGES = text("""
    INSERT INTO changed_patterns (tenant, fingerprint, fresh)
    SELECT tenant, id, false FROM insights WHERE tenant = :tenant AND state = 'active' AND language = ANY(:languages)
     ORDER BY id
    ON CONFLICT DO NOTHING
""")
_MARK_EVERYTHING = text("""
    INSERT INTO changed_patterns (tenant, fingerprint)
    SELECT tenant, fingerprint FROM observations WHERE tenant = :tenant
     UNION
    SELECT tenant, id FROM insights WHERE tenant = :tenant
     UNION
    SELECT tenant, id FROM insights_above WHERE tenant = :tenant
     ORDER BY fingerprint
    ON CONFLICT DO NOTHING
""")
_TAKE = """
    SELECT fingerprint FROM changed_patterns
     WHERE tenant = :tenant AND fingerprint > :after {condition}
     ORDER BY fingerprint LIMIT :limit FOR UPDATE SKIP LOCKED
"""
_TAKE_ALL = text(_TAKE.format(condition=""))
_TAKE_FRESH = text(_TAKE.format(condition="AND fresh"))
_DEFER = text("""
    UPDATE changed_patterns SET fresh = false WHERE tenant = :tenant AND fingerprint = ANY(:fingerprints) AND fresh
""")
_SETTLE = text("DELETE FROM changed_patterns WHERE tenant = :tenant AND fingerprint = ANY(:fingerprints)")
_TENANTS = text("SELECT tenant FROM insight_heads UNION SELECT tenant FROM changed_patterns ORDER BY tenant")
_WAITING = text("SELECT count(*) FROM changed_patterns WHERE tenant = :tenant")
_TELL = text("SELECT pg_notify(:channel, '')")

CHANNEL: Final = "flocklore_changes"
"""Said when there is something to merge or to announce, for the hub that leads."""

FIRST: Final = ""
"""Sorts before every fingerprint."""


async def mark(connection: AsyncConnection, tenant: str, fingerprints: Collection[str]) -> None:
    """Have some patterns merged again."""
    await connection.execute(_MARK, {"tenant": tenant, "fingerprints": list(fingerprints)})


async def tell(connection: AsyncConnection) -> None:
    """Have the leading hub look, once the caller commits."""
    await connection.execute(_TELL, {"channel": CHANNEL})


async def mark_instance(connection: AsyncConnection, tenant: str, instance: str) -> None:
    """Have everything merged again that an instance ever reported or commented on."""
    await connection.execute(_MARK_INSTANCE, {"tenant": tenant, "instance": instance})


async def mark_languages(connection: AsyncConnection, tenant: str, languages: Collection[str]) -> None:
    """Have the active insights of some languages merged again; only for who holds the lock of the head."""
    await connection.execute(_MARK_LANGUAGES, {"tenant": tenant, "languages": list(languages)})


async def mark_everything(connection: AsyncConnection, tenant: str) -> None:
    """Have every pattern and insight merged again; only for who holds the lock of the head."""
    await connection.execute(_MARK_EVERYTHING, {"tenant": tenant})


async def take(
    connection: AsyncConnection, tenant: str, *, after: str, limit: int, fresh_only: bool = False
) -> list[str]:
    """Lock the next waiting patterns in order; with `fresh_only` those that may be news."""
    statement = _TAKE_FRESH if fresh_only else _TAKE_ALL
    rows = await connection.execute(statement, {"tenant": tenant, "after": after, "limit": limit})
    return list(rows.scalars())


async def defer(connection: AsyncConnection, tenant: str, fingerprints: Collection[str]) -> None:
    """Leave patterns waiting whose insight is active: they are no news, however often they change."""
    await connection.execute(_DEFER, {"tenant": tenant, "fingerprints": list(fingerprints)})


async def settle(connection: AsyncConnection, tenant: str, fingerprints: Collection[str]) -> None:
    """Cross off patterns whose insight is what their observations say."""
    await connection.execute(_SETTLE, {"tenant": tenant, "fingerprints": list(fingerprints)})


async def tenants(connection: AsyncConnection) -> list[str]:
    """Every tenant that has insights or waits for some."""
    return list((await connection.execute(_TENANTS)).scalars())


async def waiting(connection: AsyncConnection, tenant: str) -> int:
    """Count the patterns waiting to be merged."""
    return int((await connection.execute(_WAITING, {"tenant": tenant})).scalar_one())
