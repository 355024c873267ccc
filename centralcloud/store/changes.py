"""`changed_patterns`: which patterns are to be merged again.

A row is a promise that its pattern's insight will catch up with the observations. Whoever changes observations marks
them in the same transaction; `take` skips rows of transactions not yet committed, and `mark` waits while a row is
taken, so that no change falls between the two. Rows are always locked in the order of their fingerprints.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

# DO UPDATE, not DO NOTHING: it locks the row, so `take` leaves it alone until the observations are committed.
_MARK = text("""
    INSERT INTO changed_patterns (tenant, fingerprint)
    SELECT DISTINCT CAST(:tenant AS text), fingerprint
      FROM unnest(CAST(:fingerprints AS text[])) AS u (fingerprint) ORDER BY fingerprint
    ON CONFLICT (tenant, fingerprint) DO UPDATE SET changed_at = clock_timestamp()
""")
_MARK_INSTANCE = text("""
    INSERT INTO changed_patterns (tenant, fingerprint)
    SELECT DISTINCT tenant, fingerprint FROM observations WHERE tenant = :tenant AND instance = :instance
     ORDER BY fingerprint
    ON CONFLICT (tenant, fingerprint) DO UPDATE SET changed_at = clock_timestamp()
""")
_MARK_LANGUAGES = text("""
    INSERT INTO changed_patterns (tenant, fingerprint)
    SELECT tenant, id FROM insights WHERE tenant = :tenant AND state = 'active' AND language = ANY(:languages)
     ORDER BY id
    ON CONFLICT DO NOTHING
""")
_MARK_EVERYTHING = text("""
    INSERT INTO changed_patterns (tenant, fingerprint)
    SELECT tenant, fingerprint FROM observations WHERE tenant = :tenant
     UNION
    SELECT tenant, id FROM insights WHERE tenant = :tenant
     ORDER BY fingerprint
    ON CONFLICT DO NOTHING
""")
_TAKE = """
    SELECT c.fingerprint FROM changed_patterns c
     WHERE c.tenant = :tenant AND c.fingerprint > :after {condition}
     ORDER BY c.fingerprint LIMIT :limit FOR UPDATE OF c SKIP LOCKED
"""
_TAKE_ALL = text(_TAKE.format(condition=""))
_TAKE_INACTIVE = text(
    _TAKE.format(
        condition="""AND NOT EXISTS (
           SELECT FROM insights i WHERE i.tenant = c.tenant AND i.id = c.fingerprint AND i.state = 'active')"""
    )
)
_SETTLE = text("DELETE FROM changed_patterns WHERE tenant = :tenant AND fingerprint = ANY(:fingerprints)")
_TENANTS = text("SELECT tenant FROM insight_heads UNION SELECT tenant FROM changed_patterns ORDER BY tenant")
_WAITING = text("SELECT count(*) FROM changed_patterns WHERE tenant = :tenant")

FIRST: Final = ""
"""Sorts before every fingerprint."""


async def mark(connection: AsyncConnection, tenant: str, fingerprints: Collection[str]) -> None:
    """Have patterns merged again; say it once a transaction, after their observations are written."""
    await connection.execute(_MARK, {"tenant": tenant, "fingerprints": list(fingerprints)})


async def mark_instance(connection: AsyncConnection, tenant: str, instance: str) -> int:
    """Have everything merged again that an instance ever reported; return how many patterns that is."""
    return await _count(connection, _MARK_INSTANCE, tenant=tenant, instance=instance)


async def mark_languages(connection: AsyncConnection, tenant: str, languages: Collection[str]) -> int:
    """Have the active insights of some languages merged again; return how many were not waiting yet."""
    return await _count(connection, _MARK_LANGUAGES, tenant=tenant, languages=list(languages))


async def mark_everything(connection: AsyncConnection, tenant: str) -> int:
    """Have every pattern and insight merged again; return how many were not waiting yet."""
    return await _count(connection, _MARK_EVERYTHING, tenant=tenant)


async def take(
    connection: AsyncConnection, tenant: str, *, after: str, limit: int, inactive_only: bool = False
) -> list[str]:
    """Lock the next waiting patterns in order; with `inactive_only` those that have no active insight."""
    statement = _TAKE_INACTIVE if inactive_only else _TAKE_ALL
    rows = await connection.execute(statement, {"tenant": tenant, "after": after, "limit": limit})
    return list(rows.scalars())


async def settle(connection: AsyncConnection, tenant: str, fingerprints: Collection[str]) -> None:
    """Cross off patterns whose insight is what their observations say."""
    await connection.execute(_SETTLE, {"tenant": tenant, "fingerprints": list(fingerprints)})


async def tenants(connection: AsyncConnection) -> list[str]:
    """Every tenant that has insights or waits for some."""
    return list((await connection.execute(_TENANTS)).scalars())


async def waiting(connection: AsyncConnection, tenant: str) -> int:
    """Count the patterns waiting to be merged."""
    return int((await connection.execute(_WAITING, {"tenant": tenant})).scalar_one())


async def _count(connection: AsyncConnection, statement: TextClause, **values: object) -> int:
    return (await connection.execute(statement, values)).rowcount
