"""`sharing_offers` and `sharing_acceptances`: who lets whom see its insights; `shared_insights`: what is seen then.

What is shared is read with `of_tenant`, as the tenant that reads: the view shows what others share with that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.insights import Insight

BEGINNING: Final = ("", "")
"""Before every pair of tenants."""

NEWEST: Final = 2**63 - 1
"""Above every version."""

_OFFER = text("""
    INSERT INTO sharing_offers (owner, reader, by) VALUES (:owner, :reader, :by) ON CONFLICT DO NOTHING
""")
_ACCEPT = text("""
    INSERT INTO sharing_acceptances (owner, reader, by)
    SELECT owner, reader, :by FROM sharing_offers WHERE (owner, reader) = (:owner, :reader)
    ON CONFLICT DO NOTHING
""")
_END = text("DELETE FROM sharing_offers WHERE (owner, reader) = (:owner, :reader)")
_COUNT = text("SELECT count(*) FROM sharing_offers WHERE owner = :owner")
_STANDS = text("SELECT EXISTS (SELECT FROM sharing_acceptances WHERE (owner, reader) = (:owner, :reader))")
_MAY_READ = text("""
    SELECT EXISTS (SELECT FROM sharing_acceptances
                    WHERE owner = :owner AND reader = current_setting('flocklore.tenant', true))
""")
_LISTED = text("""
    SELECT o.owner, o.reader, o.by AS offered_by, o.at AS offered_at, a.by AS accepted_by, a.at AS accepted_at
      FROM sharing_offers o LEFT JOIN sharing_acceptances a USING (owner, reader)
     WHERE (CAST(:tenant AS text) IS NULL OR :tenant IN (o.owner, o.reader)) AND (o.owner, o.reader) > (:owner, :reader)
     ORDER BY o.owner, o.reader LIMIT :limit
""")
_HEAD = text("SELECT version FROM shared_insights WHERE owner = :owner ORDER BY version DESC LIMIT 1")
_DELTA = text("""
    SELECT CAST(body AS text) FROM shared_insights
     WHERE owner = :owner AND version > :since AND version <= :head ORDER BY version LIMIT :limit
""")
_NEWEST = text("""
    SELECT CAST(body AS text) FROM shared_insights
     WHERE owner = :owner AND version < :before
       AND (:kind = '' OR kind = :kind) AND (:language = '' OR language = :language)
     ORDER BY version DESC LIMIT :limit
""")


class Sharing(Struct, frozen=True, kw_only=True):
    """One tenant offers its insights to another; accepted, they are shared."""

    owner: str
    reader: str
    offered_by: str
    offered_at: datetime
    accepted_by: str | None
    accepted_at: datetime | None


async def offer(connection: AsyncConnection, owner: str, reader: str, by: str) -> bool:
    """Write the half of the owner; False when it was there."""
    return (await connection.execute(_OFFER, {"owner": owner, "reader": reader, "by": by})).rowcount == 1


async def accept(connection: AsyncConnection, owner: str, reader: str, by: str) -> bool:
    """Write the half of the reader; False when it was there, and when nothing is offered.

    An offer that is taken back meanwhile is an IntegrityError.
    """
    return (await connection.execute(_ACCEPT, {"owner": owner, "reader": reader, "by": by})).rowcount == 1


async def end(connection: AsyncConnection, owner: str, reader: str) -> bool:
    """Delete both halves; False when there was none."""
    return (await connection.execute(_END, {"owner": owner, "reader": reader})).rowcount == 1


async def count(connection: AsyncConnection, owner: str) -> int:
    """Count what a tenant offers."""
    return int((await connection.execute(_COUNT, {"owner": owner})).scalar_one())


async def stands(connection: AsyncConnection, owner: str, reader: str) -> bool:
    """Whether both halves are there."""
    return bool((await connection.execute(_STANDS, {"owner": owner, "reader": reader})).scalar_one())


async def may_read(connection: AsyncConnection, owner: str) -> bool:
    """Whether a tenant shares with the one whose transaction this is."""
    return bool((await connection.execute(_MAY_READ, {"owner": owner})).scalar_one())


async def listed(
    connection: AsyncConnection, tenant: str | None, limit: int, after: tuple[str, str] = BEGINNING
) -> list[Sharing]:
    """Read what is offered by and to a tenant, or everything, by owner and reader."""
    owner, reader = after
    values = {"tenant": tenant, "owner": owner, "reader": reader, "limit": limit}
    return [Sharing(**row) for row in (await connection.execute(_LISTED, values)).mappings()]


async def head(connection: AsyncConnection, owner: str) -> int:
    """The highest version among what is shared; 0 when nothing is."""
    return (await connection.execute(_HEAD, {"owner": owner})).scalar() or 0


async def changed_since(connection: AsyncConnection, owner: str, since: int, head: int, limit: int) -> list[Insight]:
    """Read shared insights whose last change is after `since` and not after `head`, oldest change first."""
    values = {"owner": owner, "since": since, "head": head, "limit": limit}
    return _insights((await connection.execute(_DELTA, values)).scalars().all())


async def newest(
    connection: AsyncConnection, owner: str, *, kind: str, language: str, limit: int, before: int = NEWEST
) -> list[Insight]:
    """Read shared insights, last changed first, changed before a version; an empty word leaves it open."""
    values = {"owner": owner, "kind": kind, "language": language, "limit": limit, "before": before}
    return _insights((await connection.execute(_NEWEST, values)).scalars().all())


def _insights(bodies: Sequence[str]) -> list[Insight]:
    return [msgspec.json.decode(body, type=Insight) for body in bodies]
