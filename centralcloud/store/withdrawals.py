"""`insight_withdrawals`: insights a person took back, which stay revoked whatever instances say."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_AMONG = text("SELECT insight FROM insight_withdrawals WHERE tenant = :tenant AND insight = ANY(:insights)")
_ONE = text("SELECT by, reason, at FROM insight_withdrawals WHERE (tenant, insight) = (:tenant, :insight)")
_PUT = text("""
    INSERT INTO insight_withdrawals (tenant, insight, by, reason) VALUES (:tenant, :insight, :by, :reason)
    ON CONFLICT DO NOTHING
""")
_DROP = text("DELETE FROM insight_withdrawals WHERE (tenant, insight) = (:tenant, :insight)")


class Withdrawal(Struct, frozen=True, kw_only=True):
    """Who took an insight back, and why."""

    by: str
    reason: str
    at: datetime


async def among(connection: AsyncConnection, tenant: str, insights: Collection[str]) -> set[str]:
    """Choose those of some insights that were taken back."""
    if not insights:
        return set()
    return set((await connection.execute(_AMONG, {"tenant": tenant, "insights": list(insights)})).scalars())


async def find(connection: AsyncConnection, tenant: str, insight: str) -> Withdrawal | None:
    """Read who took an insight back; None when nobody did."""
    row = (await connection.execute(_ONE, {"tenant": tenant, "insight": insight})).mappings().one_or_none()
    return None if row is None else Withdrawal(**row)


async def put(connection: AsyncConnection, tenant: str, insight: str, by: str, reason: str) -> bool:
    """Take an insight back; False when somebody has already."""
    values = {"tenant": tenant, "insight": insight, "by": by, "reason": reason}
    return (await connection.execute(_PUT, values)).rowcount == 1


async def drop(connection: AsyncConnection, tenant: str, insight: str) -> bool:
    """Let instances decide again; False when nobody had taken it back."""
    return (await connection.execute(_DROP, {"tenant": tenant, "insight": insight})).rowcount == 1
