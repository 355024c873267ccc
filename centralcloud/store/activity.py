"""`activity`: what happened, for the feed and for timelines.

Rows are written in the transaction that did the thing, most of them by triggers of the tables it changed. An identity
is taken before a commit, so rows come to be seen in another order than that of their ids. Therefore a row has no place
in the feed until it is committed: `place_all` numbers what is there, one process at a time, and commits before the
next may. Whoever has read up to a place has seen everything below it, and everything new comes above it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode

CHANNEL: Final = "flocklore_activity"
"""Said with every row, at its commit."""

KEPT_MAX: Final = 50_000
KEPT_DAYS: Final = 7
PLACED_MAX: Final = 5_000
"""So many rows are numbered in one transaction."""

KINDS: Final = ("learned", "insight", "instance", "leader", "dead_letter", "job", "schedule")

_LOCK: Final = 3_617_204_551
_NEWEST: Final = 2**63 - 1

_TELL = text("""
    INSERT INTO activity (tenant, kind, instance, data)
    SELECT tenant, kind, instance, data
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(tenant text, kind text, instance text, data jsonb)
""")
_ALONE = text("SELECT pg_advisory_xact_lock(:lock)")
_PLACE = text("""
    UPDATE activity a SET place = placed.place
      FROM (SELECT id, nextval('activity_places') AS place
              FROM (SELECT id FROM activity WHERE place IS NULL ORDER BY id LIMIT :limit) AS waiting) AS placed
     WHERE a.id = placed.id
""")
_COLUMNS: Final = "place, at, tenant, kind, instance, data"
_AFTER = text(f"""
    SELECT {_COLUMNS} FROM activity
     WHERE place > :place AND (CAST(:tenant AS text) IS NULL OR tenant IS NULL OR tenant = :tenant)
     ORDER BY place LIMIT :limit
""")  # noqa: S608 - composed of constants
_LATEST = text(f"""
    SELECT {_COLUMNS} FROM activity
     WHERE place < :before AND (tenant IS NULL OR tenant = :tenant)
       AND (CAST(:kinds AS text[]) IS NULL OR kind = ANY(:kinds))
     ORDER BY place DESC LIMIT :limit
""")  # noqa: S608 - composed of constants
_OF_INSTANCE = text(f"""
    SELECT {_COLUMNS} FROM activity
     WHERE tenant = :tenant AND instance = :instance AND place < :before ORDER BY place DESC LIMIT :limit
""")  # noqa: S608 - composed of constants
_LAST = text("SELECT max(place) FROM activity")
_BEFORE_LAST = text("""
    SELECT min(place) - 1 FROM (
        SELECT place FROM activity WHERE tenant IS NULL OR tenant = :tenant ORDER BY place DESC NULLS LAST LIMIT :limit
    ) AS latest
""")
_PRUNE = text("""
    DELETE FROM activity WHERE id = ANY(ARRAY(
        SELECT id FROM activity
         WHERE at < clock_timestamp() - make_interval(days => :days) OR id <= (SELECT max(id) - :kept FROM activity)
         ORDER BY id LIMIT :limit))
""")


class Happening(Struct, frozen=True, kw_only=True):
    """Something to be told; of no tenant what concerns all."""

    tenant: str | None
    kind: str
    instance: str | None
    data: dict[str, Any]


class Happened(Struct, frozen=True):
    """Something that was told, and its place in the feed."""

    place: int
    at: datetime
    tenant: str | None
    kind: str
    instance: str | None
    data: dict[str, Any]


async def tell(connection: AsyncConnection, many: Sequence[Happening]) -> None:
    """Have these told, once the caller commits."""
    if many:
        await connection.execute(_TELL, {"rows": encode(many).decode()})


async def place_all(connection: AsyncConnection) -> int:
    """Number what was committed and has no place yet; returns how many, at most `PLACED_MAX`.

    To be the whole of its transaction: the lock keeps others from placing until this one is committed, so that
    places become visible in their order.
    """
    await connection.execute(_ALONE, {"lock": _LOCK})
    return (await connection.execute(_PLACE, {"limit": PLACED_MAX})).rowcount


async def after(connection: AsyncConnection, place: int, limit: int, *, tenant: str | None = None) -> list[Happened]:
    """Read what comes after a place, in order; of one tenant, or of all."""
    rows = await connection.execute(_AFTER, {"place": place, "limit": limit, "tenant": tenant})
    return [Happened(*row) for row in rows]


async def latest(
    connection: AsyncConnection, tenant: str, kinds: Collection[str] | None, limit: int, before: int | None = None
) -> list[Happened]:
    """Read what happened, of some kinds or all, newest first."""
    values = {"tenant": tenant, "kinds": None if kinds is None else list(kinds), "limit": limit}
    rows = await connection.execute(_LATEST, values | {"before": before or _NEWEST})
    return [Happened(*row) for row in rows]


async def of_instance(
    connection: AsyncConnection, tenant: str, instance: str, limit: int, before: int | None = None
) -> list[Happened]:
    """Read what happened with one instance, newest first."""
    values = {"tenant": tenant, "instance": instance, "limit": limit, "before": before or _NEWEST}
    return [Happened(*row) for row in await connection.execute(_OF_INSTANCE, values)]


async def last_place(connection: AsyncConnection) -> int:
    """The highest place there is; 0 before anything happened."""
    return (await connection.execute(_LAST)).scalar() or 0


async def place_before_last(connection: AsyncConnection, tenant: str, count: int) -> int | None:
    """The place after which a tenant sees the last `count` rows; None when nothing has happened."""
    found: int | None = (await connection.execute(_BEFORE_LAST, {"tenant": tenant, "limit": count})).scalar()
    return found


async def prune(connection: AsyncConnection, limit: int, *, kept: int = KEPT_MAX, days: int = KEPT_DAYS) -> int:
    """Delete what is too old or too much, oldest first, at most `limit` rows; returns how many."""
    return (await connection.execute(_PRUNE, {"kept": kept, "days": days, "limit": limit})).rowcount
