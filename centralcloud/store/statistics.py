"""The fleet in numbers: each one an expression over the tables, zero where there is nothing."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store.registry import INACTIVE_SECONDS
from schemas.codec import encode
from schemas.insights import GlobalStatistics, PatternCounts

NUMBERS: Final = {
    "active_instances": """
        SELECT count(*) FROM instance_registry
         WHERE tenant = :tenant AND status <> 'offline'
           AND last_heartbeat > now() - make_interval(secs => :inactive)""",
    "known_instances": "SELECT count(*) FROM instance_registry WHERE tenant = :tenant",
    "repositories": "SELECT count(DISTINCT repository) FROM observations WHERE tenant = :tenant AND NOT forgotten",
    "observations": "SELECT count(*) FROM observations WHERE tenant = :tenant AND NOT forgotten",
    "code": """
        SELECT count(DISTINCT fingerprint) FROM observations
         WHERE tenant = :tenant AND NOT forgotten AND kind = 'code.pattern'""",
    "architecture": """
        SELECT count(DISTINCT fingerprint) FROM observations
         WHERE tenant = :tenant AND NOT forgotten AND kind = 'architecture.pattern'""",
    "data": """
        SELECT count(DISTINCT fingerprint) FROM observations
         WHERE tenant = :tenant AND NOT forgotten AND kind = 'data.schema'""",
    "total": "SELECT count(DISTINCT fingerprint) FROM observations WHERE tenant = :tenant AND NOT forgotten",
    "insights": "SELECT count(*) FROM insights WHERE tenant = :tenant AND state = 'active'",
    "insights_changed_24h": """
        SELECT count(*) FROM insights WHERE tenant = :tenant AND changed_at > now() - interval '24 hours'""",
    "patterns_new_24h": """
        SELECT count(*) FROM (
            SELECT FROM observations WHERE tenant = :tenant GROUP BY fingerprint
            HAVING min(first_received_at) > now() - interval '24 hours' AND NOT bool_and(forgotten)) AS fresh""",
    "dead_letters": "SELECT count(*) FROM dead_letters WHERE tenant = :tenant AND replayed_at IS NULL",
}
"""Every number with the query that gives it; what instances in quarantine said is counted, too."""

_PATTERN_COUNTS: Final = PatternCounts.__struct_fields__
_MEASURE = text(f"SELECT now() AS timestamp, {', '.join(f'({query}) AS {name}' for name, query in NUMBERS.items())}")
_RECORD = text("INSERT INTO statistics_history (tenant, at, body) VALUES (:tenant, :at, CAST(:body AS jsonb))")
_HISTORY = text("""
    SELECT CAST(body AS text) FROM statistics_history WHERE tenant = :tenant ORDER BY at DESC LIMIT :limit
""")


async def measure(connection: AsyncConnection, tenant: str) -> GlobalStatistics:
    """Count everything now."""
    values = {"tenant": tenant, "inactive": INACTIVE_SECONDS}
    numbers: dict[str, Any] = dict((await connection.execute(_MEASURE, values)).mappings().one())
    patterns = PatternCounts(**{name: numbers.pop(name) for name in _PATTERN_COUNTS})
    return GlobalStatistics(tenant=tenant, patterns=patterns, **numbers)


async def record(connection: AsyncConnection, statistics: GlobalStatistics) -> None:
    """Keep one measurement."""
    body = encode(statistics).decode()
    await connection.execute(_RECORD, {"tenant": statistics.tenant, "at": statistics.timestamp, "body": body})


async def history(connection: AsyncConnection, tenant: str, limit: int) -> list[GlobalStatistics]:
    """Read the last measurements kept, oldest first."""
    rows = (await connection.execute(_HISTORY, {"tenant": tenant, "limit": limit})).scalars()
    return [msgspec.json.decode(body, type=GlobalStatistics) for body in reversed(list(rows))]
