"""The fleet counted for the gauges: quickly, over all tenants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store.registry import INACTIVE_SECONDS, OFFLINE_SECONDS, SUSPECT_SECONDS

STATUSES: Final = ("online", "paused", "draining", "suspect", "inactive", "offline")
STATES: Final = ("active", "revoked")

Counts = Mapping[tuple[str, ...], float]
"""Numbers by their labels."""

_INSTANCES = text("""
    WITH aged AS (
        SELECT tenant, status, insight_version,
               extract(epoch FROM clock_timestamp() - last_heartbeat) AS silence
          FROM instance_registry
    ), judged AS (
        SELECT a.tenant, a.insight_version >= coalesce(h.version, 0) AS current,
               CASE WHEN a.status = 'offline' OR silence >= :offline THEN 'offline'
                    WHEN silence >= :inactive THEN 'inactive'
                    WHEN silence >= :suspect THEN 'suspect'
                    ELSE a.status END AS status
          FROM aged a LEFT JOIN insight_heads h USING (tenant)
    )
    SELECT tenant, status, count(*), count(*) FILTER (WHERE current AND status <> 'offline')
      FROM judged GROUP BY tenant, status
""")
_WAITING = text("""
    SELECT tenant, (SELECT count(*) FROM changed_patterns c WHERE c.tenant = h.tenant) FROM insight_heads h
""")
_DISTRUSTED = text("""
    SELECT h.tenant,
           (SELECT count(*) FROM instance_registry r WHERE r.tenant = h.tenant AND r.quarantined_at IS NOT NULL),
           (SELECT count(*) FROM instance_trust t
             WHERE t.tenant = h.tenant AND t.trust = 0 AND t.released_at IS NULL)
      FROM insight_heads h
""")
_INSIGHTS = text("SELECT tenant, state, count(*) FROM insights GROUP BY tenant, state")


class Presence(NamedTuple):
    """Instances by tenant and status, and by tenant those heard of that have every insight."""

    instances: Counts
    current: Counts


async def presence(connection: AsyncConnection) -> Presence:
    """Count instances; of a tenant that has some, each status is there."""
    instances: dict[tuple[str, ...], float] = {}
    current: dict[tuple[str, ...], float] = defaultdict(float)
    rungs = {"suspect": SUSPECT_SECONDS, "inactive": INACTIVE_SECONDS, "offline": OFFLINE_SECONDS}
    for tenant, status, count, up_to_date in await connection.execute(_INSTANCES, rungs):
        for other in STATUSES:
            instances.setdefault((tenant, other), 0)
        instances[tenant, status] = count
        current[tenant,] += up_to_date
    return Presence(instances, current)


async def patterns_waiting(connection: AsyncConnection) -> Counts:
    """Count the patterns to be merged, by tenant."""
    return {(tenant,): count for tenant, count in await connection.execute(_WAITING)}


async def distrusted(connection: AsyncConnection) -> Counts:
    """Count instances whose word does not count, by tenant and who decided that: an operator, or the judgement."""
    counted: dict[tuple[str, ...], float] = {}
    for tenant, quarantined, set_aside in await connection.execute(_DISTRUSTED):
        counted[tenant, "quarantine"], counted[tenant, "set_aside"] = quarantined, set_aside
    return counted


async def insights_by_state(connection: AsyncConnection) -> Counts:
    """Count insights by tenant and state; reads them all."""
    counted: dict[tuple[str, ...], float] = {}
    for tenant, state, count in await connection.execute(_INSIGHTS):
        for other in STATES:
            counted.setdefault((tenant, other), 0)
        counted[tenant, state] = count
    return counted
