"""Instances as they are looked at: who is learning what. What an instance says of itself is told as it said it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store.observations import TRUSTED
from centralcloud.store.registry import INACTIVE_SECONDS, OFFLINE_SECONDS, SUSPECT_SECONDS
from centralcloud.store.sums import total

_RUNGS: Final = {"suspect": SUSPECT_SECONDS, "inactive": INACTIVE_SECONDS, "offline": OFFLINE_SECONDS}

_STATUS: Final = """
    CASE WHEN r.status = 'offline' OR r.silence >= :offline THEN 'offline'
         WHEN r.silence >= :inactive THEN 'inactive'
         WHEN r.silence >= :suspect THEN 'suspect'
         ELSE r.status END
"""
_AGED: Final = """
    SELECT *, CAST(greatest(0, extract(epoch FROM clock_timestamp() - last_heartbeat)) AS double precision) AS silence
      FROM instance_registry WHERE tenant = :tenant
"""
_PAGE = text(f"""
    WITH aged AS ({_AGED} AND instance_id > :after AND (CAST(:only AS text) IS NULL OR instance_id = :only)),
         standing AS (SELECT r.*, {_STATUS} AS standing FROM aged r)
    SELECT r.instance_id, r.standing AS status, r.load, r.last_heartbeat, r.silence AS seconds_since_heartbeat,
           r.started_at, r.hostname, r.pid, r.role, r.region, r.version, r.capabilities, r.head, r.confirmed,
           r.insight_version, r.applied_at, s.body AS said, s.updated_at AS reported_at,
           coalesce((SELECT version FROM insight_heads WHERE tenant = :tenant), 0) AS insight_head,
           CASE WHEN t.released_at IS NULL THEN coalesce(t.trust, 1) ELSE 1 END AS trust,
           r.quarantined_at IS NOT NULL AS quarantined,
           coalesce(nullif(r.quarantine_reason, ''),
                    CASE WHEN t.trust < 1 AND t.released_at IS NULL
                         THEN format('disagrees with the fleet on %s patterns, z = %s', t.facts, round(t.z::numeric, 1))
                    END, '') AS reason
      FROM standing r
      LEFT JOIN instance_trust t ON (t.tenant, t.instance) = (r.tenant, r.instance_id)
      LEFT JOIN instance_statistics s ON (s.tenant, s.instance) = (r.tenant, r.instance_id)
     WHERE (CAST(:statuses AS text[]) IS NULL OR r.standing = ANY(:statuses))
       AND (:q = '' OR position(lower(:q) IN lower(concat_ws(' ', r.instance_id, r.hostname, r.role, r.region))) > 0)
     ORDER BY r.instance_id LIMIT :limit
""")  # noqa: S608 - composed of constants
_COUNTS = text(f"SELECT {_STATUS} AS status, count(*) AS instances FROM ({_AGED}) AS r GROUP BY 1")  # noqa: S608
_KNOWN = text(f"""
    SELECT o.kind, o.language, count(*) AS patterns, {total("o.files")} AS files,
           count(*) FILTER (WHERE i.state = 'active') AS shared
      FROM observations o LEFT JOIN insights i ON (i.tenant, i.id) = (o.tenant, o.fingerprint)
     WHERE o.tenant = :tenant AND o.instance = :instance AND NOT o.forgotten
     GROUP BY o.kind, o.language ORDER BY patterns DESC, o.kind, o.language
""")  # noqa: S608 - composed of constants
_NEWEST = text("""
    SELECT fingerprint, kind, language, name, view, template, files, first_received_at FROM observations
     WHERE tenant = :tenant AND instance = :instance AND NOT forgotten
     ORDER BY first_received_at DESC, fingerprint LIMIT :limit
""")
_LINEAGES = text("""
    SELECT epoch, wm, durable_wm, forked, updated_at FROM watermarks
     WHERE tenant = :tenant AND instance = :instance ORDER BY epoch DESC LIMIT :limit
""")
_OPINIONS = text("""
    SELECT count(*) FILTER (WHERE verdict = 'accepted'), count(*) FILTER (WHERE verdict = 'rejected'),
           count(*) FILTER (WHERE verdict = 'withdrawn')
      FROM insight_feedback WHERE tenant = :tenant AND instance = :instance
""")
_SET_ASIDE = text(f"""
    SELECT count(*) FILTER (WHERE o.quarantined_at IS NOT NULL),
           count(*) FILTER (WHERE o.quarantined_at IS NULL AND NOT ({TRUSTED}))
      FROM (SELECT tenant, instance_id AS instance, quarantined_at FROM instance_registry WHERE tenant = :tenant) AS o
""")  # noqa: S608 - a constant condition
_ADOPTION = text("""
    SELECT count(*), count(*) FILTER (WHERE insight_version >= :head),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY adopt_seconds)
               FILTER (WHERE applied_at > clock_timestamp() - interval '1 day'),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY adopt_seconds)
               FILTER (WHERE applied_at > clock_timestamp() - interval '1 day')
      FROM instance_registry
     WHERE tenant = :tenant AND status <> 'offline'
       AND last_heartbeat > clock_timestamp() - make_interval(secs => :offline)
""")


class Member(Struct, frozen=True, kw_only=True):
    """One instance as the registry knows it; `said` is its last `instance.statistics.v1`."""

    instance_id: str
    status: str
    load: int
    last_heartbeat: datetime
    seconds_since_heartbeat: float
    started_at: datetime | None
    hostname: str
    pid: int
    role: str
    region: str
    version: str
    capabilities: list[str]
    head: int
    confirmed: int
    insight_version: int
    applied_at: datetime | None
    said: dict[str, Any] | None
    reported_at: datetime | None
    insight_head: int
    trust: float
    quarantined: bool
    reason: str


class Held(Struct, frozen=True):
    """How much of one kind and language an instance has."""

    kind: str
    language: str
    patterns: int
    files: int
    shared: int


class Learned(Struct, frozen=True):
    """One pattern an instance has."""

    fingerprint: str
    kind: str
    language: str
    name: str
    view: str
    template: str | None
    files: int
    first_received_at: datetime


class Epoch(Struct, frozen=True):
    """How far one epoch of an instance is committed."""

    epoch: str
    wm: int
    durable_wm: int
    forked: bool
    updated_at: datetime


class Adopted(Struct, frozen=True):
    """How far insights have come: instances not offline, those at the head, and seconds from learning to use."""

    instances: int
    up_to_date: int
    p50_seconds: float | None
    p95_seconds: float | None


async def page(
    connection: AsyncConnection,
    tenant: str,
    *,
    statuses: Sequence[str] | None = None,
    q: str = "",
    limit: int = 100,
    after: str = "",
) -> list[Member]:
    """Read instances by name, after one of them."""
    values = {"statuses": None if statuses is None else list(statuses), "q": q, "limit": limit, "after": after}
    return await _members(connection, {"tenant": tenant, "only": None, **values})


async def find(connection: AsyncConnection, tenant: str, instance: str) -> Member | None:
    """Read one instance; None when nobody of that name is registered."""
    values = {"tenant": tenant, "only": instance, "statuses": None, "q": "", "limit": 1, "after": ""}
    return next(iter(await _members(connection, values)), None)


async def counts(connection: AsyncConnection, tenant: str) -> dict[str, int]:
    """Count instances by status."""
    rows = await connection.execute(_COUNTS, {"tenant": tenant, **_RUNGS})
    return {row.status: row.instances for row in rows}


async def disbelieved(connection: AsyncConnection, tenant: str) -> tuple[int, int]:
    """Count instances in quarantine, and others that are set aside."""
    quarantined, aside = (await connection.execute(_SET_ASIDE, {"tenant": tenant})).one()
    return quarantined, aside


async def adoption(connection: AsyncConnection, tenant: str, head: int) -> Adopted:
    """Measure how far insights up to `head` have come."""
    values = {"tenant": tenant, "head": head, "offline": OFFLINE_SECONDS}
    return Adopted(*(await connection.execute(_ADOPTION, values)).one())


async def known(connection: AsyncConnection, tenant: str, instance: str) -> list[Held]:
    """Count what an instance has by kind and language, most first."""
    return [Held(*row) for row in await connection.execute(_KNOWN, {"tenant": tenant, "instance": instance})]


async def newest(connection: AsyncConnection, tenant: str, instance: str, limit: int) -> list[Learned]:
    """Read what an instance learned last."""
    values = {"tenant": tenant, "instance": instance, "limit": limit}
    return [Learned(*row) for row in await connection.execute(_NEWEST, values)]


async def lineages(connection: AsyncConnection, tenant: str, instance: str, limit: int) -> list[Epoch]:
    """Read its epochs, newest first."""
    values = {"tenant": tenant, "instance": instance, "limit": limit}
    return [Epoch(*row) for row in await connection.execute(_LINEAGES, values)]


async def opinions(connection: AsyncConnection, tenant: str, instance: str) -> tuple[int, int, int]:
    """Count what its people accepted, rejected and took back."""
    row = (await connection.execute(_OPINIONS, {"tenant": tenant, "instance": instance})).one()
    return row[0], row[1], row[2]


async def _members(connection: AsyncConnection, values: dict[str, Any]) -> list[Member]:
    rows = (await connection.execute(_PAGE, values | _RUNGS)).mappings()
    return [Member(**row) for row in rows]
