"""`instance_registry` as centralcloud sees it: who is there, who fell silent, whom not to trust."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.insights import InstanceRow

SUSPECT_SECONDS: Final = 30
INACTIVE_SECONDS: Final = 60
OFFLINE_SECONDS: Final = 300
PURGED_SECONDS: Final = 3_600

_LIST = text("""
    WITH known AS (
        SELECT instance, count(*) AS observations FROM observations
         WHERE tenant = :tenant AND NOT forgotten GROUP BY instance
    ), aged AS (
        SELECT r.*, greatest(0, extract(epoch FROM clock_timestamp() - r.last_heartbeat))::double precision AS silence
          FROM instance_registry r WHERE r.tenant = :tenant
    )
    SELECT a.instance_id, a.silence AS seconds_since_heartbeat,
           CASE WHEN a.status = 'offline' OR a.silence >= :offline THEN 'offline'
                WHEN a.silence >= :inactive THEN 'inactive'
                WHEN a.silence >= :suspect THEN 'suspect'
                ELSE a.status END AS status,
           a.hostname, a.role, a.region, a.version, a.load, a.head, a.confirmed, a.insight_version,
           coalesce(k.observations, 0) AS observations, a.quarantined_at IS NOT NULL AS quarantined,
           CASE WHEN t.released_at IS NULL THEN coalesce(t.trust, 1) ELSE 1 END AS trust,
           coalesce(nullif(a.quarantine_reason, ''),
                    CASE WHEN t.trust < 1 AND t.released_at IS NULL
                         THEN format('disagrees with the fleet on %s patterns, z = %s', t.facts, round(t.z::numeric, 1))
                    END, '') AS reason
      FROM aged a LEFT JOIN known k ON k.instance = a.instance_id
      LEFT JOIN instance_trust t ON (t.tenant, t.instance) = (a.tenant, a.instance_id)
     ORDER BY a.instance_id
""")
_QUARANTINE = text("""
    INSERT INTO instance_registry AS r (tenant, instance_id, status, holder, quarantined_at, quarantine_reason)
    SELECT :tenant, :instance, 'offline', '', clock_timestamp(), :reason
     WHERE EXISTS (SELECT FROM observations WHERE tenant = :tenant AND instance = :instance)
        OR EXISTS (SELECT FROM instance_registry WHERE tenant = :tenant AND instance_id = :instance)
    ON CONFLICT (tenant, instance_id) DO UPDATE
       SET quarantined_at = coalesce(r.quarantined_at, excluded.quarantined_at), quarantine_reason = :reason
""")
_RELEASE = text("""
    UPDATE instance_registry SET quarantined_at = NULL, quarantine_reason = NULL
     WHERE tenant = :tenant AND instance_id = :instance
""")
_SILENT = text("""
    UPDATE instance_registry SET status = 'offline'
     WHERE status <> 'offline' AND last_heartbeat < clock_timestamp() - make_interval(secs => :offline)
""")
_PURGE = text("""
    DELETE FROM instance_registry r
     WHERE r.status = 'offline' AND r.quarantined_at IS NULL
       AND r.last_heartbeat < clock_timestamp() - make_interval(secs => :purged)
       AND NOT EXISTS (SELECT FROM observations o WHERE o.tenant = r.tenant AND o.instance = r.instance_id)
""")


async def list_instances(connection: AsyncConnection, tenant: str) -> tuple[InstanceRow, ...]:
    """Read every instance by name; its status follows from how long it has been silent."""
    rungs = {"suspect": SUSPECT_SECONDS, "inactive": INACTIVE_SECONDS, "offline": OFFLINE_SECONDS}
    rows = (await connection.execute(_LIST, {"tenant": tenant, **rungs})).mappings()
    return tuple(InstanceRow(**row) for row in rows)


async def quarantine(connection: AsyncConnection, tenant: str, instance: str, reason: str) -> bool:
    """Stop trusting an instance; False when nobody of that name was ever heard of."""
    values = {"tenant": tenant, "instance": instance, "reason": reason}
    return (await connection.execute(_QUARANTINE, values)).rowcount == 1


async def release(connection: AsyncConnection, tenant: str, instance: str) -> bool:
    """Trust an instance again; False when nobody of that name is registered."""
    return (await connection.execute(_RELEASE, {"tenant": tenant, "instance": instance})).rowcount == 1


async def mark_silent_offline(connection: AsyncConnection, offline_seconds: float = OFFLINE_SECONDS) -> int:
    """Set every instance offline that has been silent for so long; return how many."""
    return int((await connection.execute(_SILENT, {"offline": offline_seconds})).rowcount)


async def purge(connection: AsyncConnection, purged_seconds: float = PURGED_SECONDS) -> int:
    """Forget instances long offline of which nothing is known; return how many.

    Whoever is in quarantine, or has observations that insights may name, stays.
    """
    return int((await connection.execute(_PURGE, {"purged": purged_seconds})).rowcount)
