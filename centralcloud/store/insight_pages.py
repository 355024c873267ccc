"""Insights as they are looked at: in pages by support or by change, and everything about one of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store.registry import OFFLINE_SECONDS
from centralcloud.store.withdrawals import Withdrawal
from schemas.insights import Insight

FIRST: Final = 2**63 - 1
"""Above every version and every number of instances."""

_COLUMNS: Final = "i.id, i.version, i.body, i.changed_at"
_FITTING: Final = """
           AND (:kind = '' OR i.kind = :kind) AND (:language = '' OR i.language = :language)
           AND (:q = '' OR position(lower(:q) IN lower(concat_ws(' ', i.id, i.body->>'name', i.body->>'template'))) > 0)
"""
_SUPPORT: Final = "CAST(i.body->>'instances' AS bigint)"
# State by state, so that each is one walk down the index, which ends as soon as the page is full.
_BY_SUPPORT = text(f"""
    WITH page AS (
        SELECT found.* FROM unnest(CAST(:states AS text[])) AS s(state)
         CROSS JOIN LATERAL (
            SELECT {_COLUMNS}, {_SUPPORT} AS support FROM insights i
             WHERE i.tenant = :tenant AND i.state = s.state AND {_SUPPORT} <= :support
               AND ({_SUPPORT} < :support OR i.id > :id) {_FITTING}
             ORDER BY {_SUPPORT} DESC, i.id LIMIT :limit
         ) AS found
         ORDER BY support DESC, id LIMIT :limit
    )
    SELECT CAST(p.body AS text), p.changed_at, w.by, w.reason, w.at
      FROM page p LEFT JOIN insight_withdrawals w ON (w.tenant, w.insight) = (:tenant, p.id)
     ORDER BY p.support DESC, p.id
""")  # noqa: S608 - composed of constants
_NEWEST = text(f"""
    SELECT CAST(i.body AS text), i.changed_at, w.by, w.reason, w.at
      FROM insights i LEFT JOIN insight_withdrawals w ON (w.tenant, w.insight) = (i.tenant, i.id)
     WHERE i.tenant = :tenant AND i.version < :before AND i.state = ANY(:states) {_FITTING}
     ORDER BY i.version DESC LIMIT :limit
""")  # noqa: S608 - composed of constants
_ONE = text("""
    SELECT CAST(i.body AS text), i.changed_at, w.by, w.reason, w.at
      FROM insights i LEFT JOIN insight_withdrawals w ON (w.tenant, w.insight) = (i.tenant, i.id)
     WHERE i.tenant = :tenant AND i.id = :id
""")
_VERSIONS = text("""
    SELECT insight_version FROM instance_registry
     WHERE tenant = :tenant AND status <> 'offline'
       AND last_heartbeat > clock_timestamp() - make_interval(secs => :offline)
""")
_MOMENTS = text("""
    SELECT (SELECT min(first_received_at) FROM observations
             WHERE tenant = :tenant AND fingerprint = :id) AS first_seen,
           (SELECT min(changed_at) FROM insight_history
             WHERE tenant = :tenant AND id = :id AND body->>'state' = 'active') AS shared,
           (SELECT min(received_at) FROM insight_feedback
             WHERE tenant = :tenant AND insight = :id AND verdict = 'accepted') AS accepted,
           (SELECT min(changed_at) FROM insight_history
             WHERE tenant = :tenant AND id = :id AND version > coalesce(
                   (SELECT max(version) FROM insight_history
                     WHERE tenant = :tenant AND id = :id AND body->>'state' = 'active'), 0)) AS revoked
""")
_ABSENT = text("""
    SELECT instance_id, insight_version >= :version AS has, applied_at FROM instance_registry
     WHERE tenant = :tenant AND status <> 'offline'
       AND last_heartbeat > clock_timestamp() - make_interval(secs => :offline)
     ORDER BY instance_id
""")
_OPINIONS = text("""
    SELECT instance, verdict, reason, received_at FROM insight_feedback
     WHERE tenant = :tenant AND insight = :id ORDER BY received_at DESC, instance LIMIT :limit
""")
_ALIKE = text("""
    SELECT id FROM insights
     WHERE tenant = :tenant AND body->>'cluster' = :cluster AND body->>'cluster' <> '' AND id <> :id
     ORDER BY id LIMIT :limit
""")


class Wanted(Struct, frozen=True, kw_only=True):
    """Which insights; an empty word leaves it open."""

    states: tuple[str, ...]
    kind: str = ""
    language: str = ""
    q: str = ""


class Found(Struct, frozen=True):
    """One insight, and what is beside it."""

    insight: Insight
    changed_at: datetime
    withdrawn: Withdrawal | None


class Moments(Struct, frozen=True):
    """When an insight came how far; `revoked` also when it never was active."""

    first_seen: datetime | None
    shared: datetime | None
    accepted: datetime | None
    revoked: datetime | None


class Present(Struct, frozen=True):
    """An instance that is not offline, and whether it has applied a version."""

    instance: str
    has: bool
    applied_at: datetime | None


class Word(Struct, frozen=True):
    """What the people of an instance said of an insight."""

    instance: str
    verdict: Literal["accepted", "rejected", "withdrawn"]
    reason: str
    received_at: datetime


async def by_support(
    connection: AsyncConnection, tenant: str, wanted: Wanted, limit: int, after: tuple[int, str] | None = None
) -> list[Found]:
    """Read insights, most instances first, after one with (instances, id)."""
    support, last = after or (FIRST, "")
    values = _values(tenant, wanted, limit) | {"support": support, "id": last}
    return [_found(*row) for row in await connection.execute(_BY_SUPPORT, values)]


async def newest(
    connection: AsyncConnection, tenant: str, wanted: Wanted, limit: int, before: int | None = None
) -> list[Found]:
    """Read insights, last changed first, changed before a version."""
    values = _values(tenant, wanted, limit) | {"before": before or FIRST}
    return [_found(*row) for row in await connection.execute(_NEWEST, values)]


async def find(connection: AsyncConnection, tenant: str, insight_id: str) -> Found | None:
    """Read one insight; None when there never was one."""
    row = (await connection.execute(_ONE, {"tenant": tenant, "id": insight_id})).one_or_none()
    return None if row is None else _found(*row)


async def applied_versions(connection: AsyncConnection, tenant: str) -> list[int]:
    """Read up to which version each instance that is not offline has applied insights, lowest first."""
    values = {"tenant": tenant, "offline": OFFLINE_SECONDS}
    return sorted((await connection.execute(_VERSIONS, values)).scalars())


async def present(connection: AsyncConnection, tenant: str, version: int) -> list[Present]:
    """Read which instances, not offline, have applied a version, by name."""
    values = {"tenant": tenant, "version": version, "offline": OFFLINE_SECONDS}
    return [Present(*row) for row in await connection.execute(_ABSENT, values)]


async def moments(connection: AsyncConnection, tenant: str, insight_id: str) -> Moments:
    """Read when an insight came how far."""
    return Moments(*(await connection.execute(_MOMENTS, {"tenant": tenant, "id": insight_id})).one())


async def opinions(connection: AsyncConnection, tenant: str, insight_id: str, limit: int) -> list[Word]:
    """Read what people said of it, newest first."""
    values = {"tenant": tenant, "id": insight_id, "limit": limit}
    return [Word(*row) for row in await connection.execute(_OPINIONS, values)]


async def alike(connection: AsyncConnection, tenant: str, insight: Insight, limit: int) -> list[str]:
    """Read the ids of its near-duplicates."""
    values = {"tenant": tenant, "id": insight.id, "cluster": insight.cluster, "limit": limit}
    return list((await connection.execute(_ALIKE, values)).scalars())


def _values(tenant: str, wanted: Wanted, limit: int) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "states": list(wanted.states),
        "kind": wanted.kind,
        "language": wanted.language,
        "q": wanted.q,
        "limit": limit,
    }


def _found(body: str, changed_at: datetime, by: str | None, reason: str | None, at: datetime | None) -> Found:
    withdrawn = None if by is None or reason is None or at is None else Withdrawal(by=by, reason=reason, at=at)
    return Found(msgspec.json.decode(body, type=Insight), changed_at, withdrawn)
