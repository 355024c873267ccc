"""`insights`, their history, and the head that numbers every change of a tenant without gaps."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode
from schemas.insights import AggregationSummary, Insight, InsightChange

_ENSURE_HEAD = text("INSERT INTO insight_heads (tenant, version) VALUES (:tenant, 0) ON CONFLICT DO NOTHING")
_LOCK_HEAD = text("SELECT version FROM insight_heads WHERE tenant = :tenant FOR UPDATE")
_HEAD = text("SELECT version FROM insight_heads WHERE tenant = :tenant")
_BODIES = text("SELECT CAST(body AS text) FROM insights WHERE tenant = :tenant AND id = ANY(:ids)")
_DELTA = text("""
    SELECT CAST(body AS text) FROM insights
     WHERE tenant = :tenant AND version > :since AND version <= :head ORDER BY version LIMIT :limit
""")
_WRITE = text("""
    WITH changed AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb))
            AS r (id text, version bigint, state text, kind text, language text, body jsonb)
    ), history AS (
        INSERT INTO insight_history (tenant, version, id, body, changed_at)
        SELECT :tenant, version, id, body, clock_timestamp() FROM changed
    ), head AS (
        UPDATE insight_heads SET version = (SELECT max(version) FROM changed) WHERE tenant = :tenant
    )
    INSERT INTO insights (tenant, id, version, state, kind, language, body, changed_at)
    SELECT :tenant, id, version, state, kind, language, body, clock_timestamp() FROM changed
    ON CONFLICT (tenant, id) DO UPDATE
       SET version = excluded.version, state = excluded.state, kind = excluded.kind, language = excluded.language,
           body = excluded.body, changed_at = excluded.changed_at
""")
_HISTORY = text("""
    SELECT h.version, h.body->>'state' AS state, CAST(h.body->>'instances' AS bigint) AS instances,
           CAST(h.body->>'repositories' AS bigint) AS repositories,
           CAST(h.body->>'confidence' AS double precision) AS confidence, h.changed_at
      FROM insight_history h WHERE h.tenant = :tenant AND h.id = :id ORDER BY h.version DESC LIMIT :limit
""")
_SUMMARY = text("""
    SELECT count(*) AS total_patterns,
           count(*) FILTER (WHERE kind = 'code.pattern') AS code_patterns,
           count(*) FILTER (WHERE kind = 'architecture.pattern') AS architecture_patterns,
           count(*) FILTER (WHERE kind = 'data.schema') AS data_schemas
      FROM insights WHERE tenant = :tenant AND state = 'active'
""")


async def lock_head(connection: AsyncConnection, tenant: str) -> int:
    """Become the only writer of a tenant's insights until the transaction ends; return the highest version."""
    await connection.execute(_ENSURE_HEAD, {"tenant": tenant})
    return int((await connection.execute(_LOCK_HEAD, {"tenant": tenant})).scalar_one())


async def head(connection: AsyncConnection, tenant: str) -> int:
    """Read the highest version; 0 for a tenant without insights."""
    return (await connection.execute(_HEAD, {"tenant": tenant})).scalar() or 0


async def of_patterns(connection: AsyncConnection, tenant: str, fingerprints: Collection[str]) -> dict[str, Insight]:
    """Read the insights of some patterns, revoked ones included, by fingerprint."""
    rows = await connection.execute(_BODIES, {"tenant": tenant, "ids": list(fingerprints)})
    return {insight.id: insight for insight in map(_decode, rows.scalars())}


async def changed_since(connection: AsyncConnection, tenant: str, since: int, head: int, limit: int) -> list[Insight]:
    """Read insights whose last change is after `since` and not after `head`, oldest change first."""
    values = {"tenant": tenant, "since": since, "head": head, "limit": limit}
    return [_decode(body) for body in (await connection.execute(_DELTA, values)).scalars()]


async def write(connection: AsyncConnection, tenant: str, head: int, changed: Sequence[Insight]) -> list[Insight]:
    """Give each change the next version after `head`, which the caller has locked, and return them with it."""
    if not changed:
        return []
    numbered = [structs.replace(insight, version=version) for version, insight in enumerate(changed, head + 1)]
    rows = [
        {
            "id": one.id,
            "version": one.version,
            "state": one.state,
            "kind": one.kind,
            "language": one.language,
            "body": one,
        }
        for one in numbered
    ]
    await connection.execute(_WRITE, {"tenant": tenant, "rows": encode(rows).decode()})
    return numbered


async def history(connection: AsyncConnection, tenant: str, insight_id: str, limit: int) -> tuple[InsightChange, ...]:
    """Read the last changes of one insight, oldest first; empty when there never was one."""
    rows = (await connection.execute(_HISTORY, {"tenant": tenant, "id": insight_id, "limit": limit})).mappings()
    return tuple(reversed([InsightChange(**row) for row in rows]))


async def summary(connection: AsyncConnection, tenant: str) -> AggregationSummary:
    """Count active insights by kind."""
    return AggregationSummary(**(await connection.execute(_SUMMARY, {"tenant": tenant})).mappings().one())


def _decode(body: str) -> Insight:
    return msgspec.json.decode(body, type=Insight)
