"""`samples`: the fleet in numbers, now and over time, for rates and charts."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store import statistics
from centralcloud.store.registry import OFFLINE_SECONDS
from centralcloud.store.sums import total
from schemas.codec import encode
from schemas.insights import GlobalStatistics

KEPT_DAYS: Final = 7

REST_SECONDS_MIN: Final = 15.0
REST_FACTOR: Final = 100.0
"""What takes long to count rests so many times as long: it takes a hundredth of one backend at most."""

_CHEAP: Final = f"""
    SELECT coalesce((SELECT {total("wm")} FROM watermarks WHERE tenant = :tenant), 0) AS events,
           coalesce((SELECT version FROM insight_heads WHERE tenant = :tenant), 0) AS insight_version,
           coalesce((SELECT {total("insight_version")} FROM instance_registry WHERE tenant = :tenant), 0) AS applied,
           (SELECT count(*) FROM instance_registry WHERE tenant = :tenant AND status <> 'offline'
               AND last_heartbeat > clock_timestamp() - make_interval(secs => :offline)) AS instances,
           (SELECT count(*) FROM insights WHERE tenant = :tenant AND state = 'active') AS known_insights,
           (SELECT count(*) FROM changed_patterns WHERE tenant = :tenant) AS waiting,
           (SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL) AS letters
"""  # noqa: S608 - composed of constants
_COLUMNS: Final = "events, insight_version, applied, instances, known_insights, waiting, letters"
_NOW = text(f"SELECT clock_timestamp() AS at, found.* FROM ({_CHEAP}) AS found")  # noqa: S608 - composed of constants
_TENANTS = text("""
    SELECT tenant FROM insight_heads UNION SELECT tenant FROM changed_patterns
    UNION SELECT tenant FROM instance_registry ORDER BY tenant
""")
_LAST_COUNT = text("""
    SELECT CAST(counted AS text) AS counted, at,
           at < clock_timestamp() - make_interval(secs => greatest(:rest, :factor * count_seconds)) AS is_due
      FROM samples WHERE tenant = :tenant AND counted IS NOT NULL ORDER BY at DESC LIMIT 1
""")
_PUT = text(f"""
    INSERT INTO samples (tenant, at, {_COLUMNS}, counted, count_seconds)
    SELECT :tenant, clock_timestamp(), {_COLUMNS}, CAST(:counted AS jsonb), :count_seconds FROM ({_CHEAP}) AS found
""")  # noqa: S608 - composed of constants
_BEFORE = text(f"""
    SELECT at, {_COLUMNS} FROM samples
     WHERE tenant = :tenant AND at < clock_timestamp() - make_interval(secs => :seconds)
       AND at > clock_timestamp() - make_interval(secs => 4 * :seconds)
     ORDER BY at DESC LIMIT 1
""")  # noqa: S608 - composed of constants
_SERIES = text("""
    SELECT CAST(floor(extract(epoch FROM at) / :step) * :step AS bigint) AS begin, min(at) AS first, max(at) AS last,
           min(CASE :name WHEN 'learned' THEN events WHEN 'insights' THEN insight_version
                          WHEN 'applied' THEN applied END) AS lowest,
           max(CASE :name WHEN 'learned' THEN events WHEN 'insights' THEN insight_version
                          WHEN 'applied' THEN applied END) AS highest,
           CAST(avg(CASE :name WHEN 'instances' THEN instances WHEN 'known_insights' THEN known_insights
                               WHEN 'waiting' THEN waiting WHEN 'letters' THEN letters
                               WHEN 'patterns' THEN CAST(counted->'patterns'->>'total' AS bigint) END)
                AS double precision) AS mean
      FROM samples WHERE tenant = :tenant AND at > clock_timestamp() - make_interval(secs => :seconds)
     GROUP BY begin ORDER BY begin
""")
_CLOCK = text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)")
_PRUNE = text("""
    DELETE FROM samples WHERE (tenant, at) IN (
        SELECT tenant, at FROM samples WHERE at < clock_timestamp() - make_interval(days => :days) LIMIT :limit)
""")


class Sample(Struct, frozen=True, kw_only=True):
    """What can be counted at any time; `events`, `insight_version` and `applied` grow."""

    at: datetime
    events: int
    insight_version: int
    applied: int
    instances: int
    known_insights: int
    waiting: int
    letters: int


class Step(Struct, frozen=True):
    """The samples of one step of a series; `lowest` and `highest` of what grows, `mean` of what is counted."""

    begin: int
    first: datetime
    last: datetime
    lowest: int | None
    highest: int | None
    mean: float | None


async def tenants(connection: AsyncConnection) -> list[str]:
    """Every tenant of whom anything is known."""
    return list((await connection.execute(_TENANTS)).scalars())


async def measure(connection: AsyncConnection, tenant: str) -> Sample:
    """Count now what is quick to count."""
    values = {"tenant": tenant, "offline": OFFLINE_SECONDS}
    return Sample(**(await connection.execute(_NOW, values)).mappings().one())


async def take(connection: AsyncConnection, tenant: str) -> None:
    """Keep a sample; what takes long to count is in it when it is due."""
    counted, seconds = None, None
    if await _is_due(connection, tenant):
        began = time.perf_counter()
        counted = encode(await statistics.measure(connection, tenant)).decode()
        seconds = time.perf_counter() - began
    values = {"tenant": tenant, "offline": OFFLINE_SECONDS, "counted": counted, "count_seconds": seconds}
    await connection.execute(_PUT, values)


async def before(connection: AsyncConnection, tenant: str, seconds: float) -> Sample | None:
    """Read the newest sample at least so old, and not four times as old; None when there is none."""
    row = (await connection.execute(_BEFORE, {"tenant": tenant, "seconds": seconds})).mappings().one_or_none()
    return None if row is None else Sample(**row)


async def last_count(connection: AsyncConnection, tenant: str) -> GlobalStatistics | None:
    """Read what was counted last; None before the first time."""
    row = (await connection.execute(_LAST_COUNT, _counting(tenant))).one_or_none()
    return None if row is None else msgspec.json.decode(row.counted, type=GlobalStatistics)


async def steps(connection: AsyncConnection, tenant: str, name: str, seconds: int, step_seconds: float) -> list[Step]:
    """Read the samples of the last `seconds` by step, as far as there are any."""
    values = {"tenant": tenant, "name": name, "seconds": seconds, "step": step_seconds}
    return [Step(*row) for row in await connection.execute(_SERIES, values)]


async def clock(connection: AsyncConnection) -> float:
    """The time of the database, in Unix seconds."""
    return float((await connection.execute(_CLOCK)).scalar_one())


async def prune(connection: AsyncConnection, limit: int) -> int:
    """Delete samples that are too old, at most `limit`; returns how many."""
    return (await connection.execute(_PRUNE, {"days": KEPT_DAYS, "limit": limit})).rowcount


async def _is_due(connection: AsyncConnection, tenant: str) -> bool:
    row = (await connection.execute(_LAST_COUNT, _counting(tenant))).one_or_none()
    return row is None or bool(row.is_due)


def _counting(tenant: str) -> dict[str, object]:
    return {"tenant": tenant, "rest": REST_SECONDS_MIN, "factor": REST_FACTOR}
