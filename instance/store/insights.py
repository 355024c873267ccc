"""Insights as centralcloud gave them, each change applied once and visibly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode
from schemas.insights import Insight

Change = Literal["applied", "revoked", "undone", "redone"]


@dataclass(frozen=True)
class Held:
    """An insight this instance holds."""

    insight: Insight
    undone: bool
    applied_at: datetime


@dataclass(frozen=True)
class Step:
    """One step in what happened to an insight here."""

    version: int
    change: str
    changed_at: datetime


class FleetRate(NamedTuple):
    """How usual a pattern is: repositories with it, and the mean share of files with it over `counted` of them."""

    repositories: int
    mean_rate: float
    counted: int


_VERSION = text("SELECT version FROM downlink")
_LOCK_VERSION = text("SELECT version FROM downlink FOR UPDATE")
_SET_VERSION = text("UPDATE downlink SET version = :version, complete = :complete")
_BEGIN_ANEW = text("UPDATE downlink SET version = 0, complete = false, restarts = restarts + 1")
_APPLY = text("""
    WITH new AS (
        INSERT INTO insights AS i (id, version, state, body)
        SELECT body->>'id', (body->>'version')::bigint, body->>'state', body
          FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS body
        ON CONFLICT (id) DO UPDATE
           SET version = excluded.version, state = excluded.state, body = excluded.body, applied_at = now()
         WHERE i.version < excluded.version
        RETURNING id, version, state, body
    )
    INSERT INTO insight_changes (id, version, change, body)
    SELECT id, version, CASE state WHEN 'revoked' THEN 'revoked' ELSE 'applied' END, body FROM new
""")
_FORGET_VERSIONS = text("UPDATE insights SET version = 0")
_REVOKE_UNSEEN = text("""
    WITH gone AS (
        UPDATE insights SET state = 'revoked', body = jsonb_set(body, '{state}', '"revoked"'), applied_at = now()
         WHERE version = 0 AND state = 'active'
        RETURNING id, body
    )
    INSERT INTO insight_changes (id, version, change, body) SELECT id, 0, 'revoked', body FROM gone
""")
_SET_UNDONE = text("UPDATE insights SET undone = :undone WHERE id = :id AND undone <> :undone RETURNING version")
_NOTE = text("INSERT INTO insight_changes (id, version, change) VALUES (:id, :version, :change)")
_SELECT = "SELECT body, undone, applied_at FROM insights"
_ACTIVE = text(f"""
    {_SELECT} WHERE state = 'active' AND (:all OR NOT undone)
       AND (CAST(:language AS text) IS NULL OR body->>'language' = :language)
       AND (CAST(:words AS text) IS NULL
            OR concat_ws(' ', body->>'template', body->>'name', body->>'kind') ILIKE :words)
     ORDER BY (body->>'instances')::int DESC, (body->>'confidence')::float DESC, (body->>'files')::bigint DESC, id
     LIMIT :limit
""")
_BY_PREFIX = text(f"{_SELECT} WHERE id LIKE :prefix ORDER BY id LIMIT 2")
_HISTORY = text("SELECT version, change, changed_at FROM insight_changes WHERE id = :id ORDER BY changed_at, version")
_SINCE = text(f"{_SELECT} WHERE version > :version ORDER BY version LIMIT :limit")
_COUNT = text("SELECT count(*) FROM insights WHERE state = 'active' AND NOT undone")
_WIDELY_KNOWN = text("""
    SELECT id FROM insights WHERE state = 'active' AND (body->>'instances')::int >= :instances_min
""")
_FLEET_RATES = text("""
    SELECT id, (body->>'repositories')::int, (body->>'file_rate')::float, (body->>'file_repositories')::int
      FROM insights
     WHERE id = ANY(:ids) AND state = 'active' AND NOT undone AND (body->>'file_repositories')::int > 0
""")
_PUT_NAMES = text("""
    INSERT INTO public_names (language, name)
    SELECT language, name FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(language text, name text)
     ORDER BY 1, 2 ON CONFLICT DO NOTHING
""")
_NAMES = text("SELECT language, name FROM public_names")


async def version(connection: AsyncConnection) -> int:
    """The version up to which every insight has been applied."""
    known: int = (await connection.execute(_VERSION)).scalar_one()
    return known


async def apply(connection: AsyncConnection, insights: Sequence[Insight], upto: int, *, complete: bool = True) -> None:
    """Apply changes in order, once each, and remember how far we are, and whether that is all there is."""
    await connection.execute(_LOCK_VERSION)
    await connection.execute(_APPLY, {"rows": encode(insights).decode()})
    await connection.execute(_SET_VERSION, {"version": upto, "complete": complete})


async def start_over(connection: AsyncConnection) -> None:
    """Centralcloud counts from the beginning again: keep what we hold, and expect all of it to be said again."""
    await connection.execute(_FORGET_VERSIONS)
    await connection.execute(_BEGIN_ANEW)


async def revoke_unseen(connection: AsyncConnection) -> None:
    """After starting over: what was not said again is no longer true."""
    await connection.execute(_REVOKE_UNSEEN)


async def set_undone(connection: AsyncConnection, insight_id: str, *, undone: bool) -> bool:
    """Stop using an insight here, or use it again; False when that changes nothing."""
    found = (await connection.execute(_SET_UNDONE, {"id": insight_id, "undone": undone})).scalar()
    if found is None:
        return False
    change: Change = "undone" if undone else "redone"
    await connection.execute(_NOTE, {"id": insight_id, "version": found, "change": change})
    return True


async def active(
    connection: AsyncConnection,
    *,
    limit: int,
    language: str | None = None,
    words: str | None = None,
    include_undone: bool = False,
) -> list[Held]:
    """Insights in use, the most widely held first; `words` must stand in their template, name or kind."""
    pattern = f"%{words}%" if words else None
    values = {"limit": limit, "language": language, "words": pattern, "all": include_undone}
    return [_held(row) for row in await connection.execute(_ACTIVE, values)]


async def by_prefix(connection: AsyncConnection, prefix: str) -> list[Held]:
    """Insights whose id begins so, two at most: enough to know whether the prefix is unique."""
    return [_held(row) for row in await connection.execute(_BY_PREFIX, {"prefix": f"{prefix}%"})]


async def history(connection: AsyncConnection, insight_id: str) -> list[Step]:
    """What happened to an insight here, in order."""
    return [Step(*row) for row in await connection.execute(_HISTORY, {"id": insight_id})]


async def since(connection: AsyncConnection, known_version: int, limit: int) -> list[Held]:
    """Insights changed after a version, in order."""
    rows = await connection.execute(_SINCE, {"version": known_version, "limit": limit})
    return [_held(row) for row in rows]


async def count(connection: AsyncConnection) -> int:
    """How many insights are in use."""
    found: int = (await connection.execute(_COUNT)).scalar_one()
    return found


async def fleet_rates(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, FleetRate]:
    """What the fleet says of some patterns: those it has an insight on that counts files."""
    return {row[0]: FleetRate(*row[1:]) for row in await connection.execute(_FLEET_RATES, {"ids": list(ids)})}


async def widely_known(connection: AsyncConnection, instances_min: int) -> set[str]:
    """Fingerprints centralcloud reports from at least so many instances."""
    rows = await connection.execute(_WIDELY_KNOWN, {"instances_min": instances_min})
    return {identity for (identity,) in rows}


async def put_public_names(connection: AsyncConnection, names: Iterable[tuple[str, str]]) -> None:
    """Add (language, name) pairs that many instances have shown."""
    rows = [{"language": language, "name": name} for language, name in sorted(set(names))]
    if rows:
        await connection.execute(_PUT_NAMES, {"rows": encode(rows).decode()})


async def public_names(connection: AsyncConnection) -> dict[str, set[str]]:
    """Names that are public because many instances have shown them, by language."""
    names: dict[str, set[str]] = {}
    for language, name in await connection.execute(_NAMES):
        names.setdefault(language, set()).add(name)
    return names


def _held(row: Any) -> Held:
    return Held(msgspec.convert(row[0], Insight), row[1], row[2])
