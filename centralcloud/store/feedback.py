"""`insight_feedback`: what people think of insights, the newest word of each instance. Never evidence for one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from msgspec import Struct
from psycopg.types.json import Json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode


class FeedbackRow(Struct, frozen=True, kw_only=True):
    """One word on one insight."""

    tenant: str
    insight: str
    instance: str
    verdict: str
    reason: str
    epoch: str
    version: int


_UPSERT = text("""
    WITH new AS (
        INSERT INTO insight_feedback AS f (tenant, insight, instance, verdict, reason, epoch, version)
        SELECT tenant, insight, instance, verdict, reason, epoch, version FROM json_to_recordset(:rows)
               AS r(tenant text, insight text, instance text, verdict text, reason text, epoch text, version bigint)
        ON CONFLICT (tenant, insight, instance) DO UPDATE
           SET verdict = excluded.verdict, reason = excluded.reason, epoch = excluded.epoch,
               version = excluded.version, received_at = now()
         WHERE (f.epoch, f.version) < (excluded.epoch, excluded.version)
        RETURNING tenant, insight
    )
    INSERT INTO changed_patterns (tenant, fingerprint)
    SELECT DISTINCT tenant, insight FROM new ORDER BY 1, 2
    ON CONFLICT (tenant, fingerprint) DO UPDATE SET changed_at = clock_timestamp()
""")
_COUNTS = text("""
    SELECT f.insight, count(*) FILTER (WHERE f.verdict = 'accepted') AS accepted,
           count(*) FILTER (WHERE f.verdict = 'rejected') AS rejected
      FROM insight_feedback f
     WHERE f.tenant = :tenant AND f.insight = ANY(:insights)
       AND NOT EXISTS (SELECT FROM distrusted d WHERE d.tenant = f.tenant AND d.instance = f.instance)
     GROUP BY f.insight
""")
_TOTALS = text("""
    SELECT count(*) FILTER (WHERE verdict = 'accepted'), count(*) FILTER (WHERE verdict = 'rejected')
      FROM insight_feedback WHERE tenant = :tenant
""")
_REJECTED: Final = text("""
    SELECT insight FROM insight_feedback WHERE (tenant, instance, verdict) = (:tenant, :instance, 'rejected')
""")


async def upsert(connection: AsyncConnection, rows: Sequence[FeedbackRow]) -> None:
    """Keep the newest word of each instance on each insight; the insights it is about are merged again."""
    newest = {
        (row.tenant, row.insight, row.instance): row for row in sorted(rows, key=lambda row: (row.epoch, row.version))
    }
    if newest:
        ordered = [newest[key] for key in sorted(newest)]
        await connection.execute(_UPSERT, {"rows": Json(ordered, dumps=encode)})


async def counts(connection: AsyncConnection, tenant: str, insights: Collection[str]) -> list[tuple[str, int, int]]:
    """Count (insight, accepted, rejected) over instances that are not distrusted."""
    rows = await connection.execute(_COUNTS, {"tenant": tenant, "insights": list(insights)})
    return [(insight, accepted, rejected) for insight, accepted, rejected in rows]


async def totals(connection: AsyncConnection, tenant: str) -> tuple[int, int]:
    """Count words for insights, and words against."""
    accepted, rejected = (await connection.execute(_TOTALS, {"tenant": tenant})).one()
    return accepted, rejected


async def rejected_by(connection: AsyncConnection, tenant: str, instance: str) -> set[str]:
    """Read the insights an instance has rejected."""
    return set((await connection.execute(_REJECTED, {"tenant": tenant, "instance": instance})).scalars())
