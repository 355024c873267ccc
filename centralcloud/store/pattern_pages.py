"""Patterns as they are looked at: counted over the instances that have them now and are believed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store import insights
from centralcloud.store.observations import TRUSTED
from centralcloud.store.sums import total
from schemas.insights import Insight

# One repository held by several instances counts once, by its largest counts, as when it is merged.
_COUNTED = text(f"""
    WITH believed AS (
        SELECT o.* FROM observations o
         WHERE o.tenant = :tenant AND o.fingerprint = ANY(:fingerprints) AND NOT o.forgotten AND {TRUSTED}
    ), repositories AS (
        SELECT fingerprint, repository, max(files) AS files, max(occurrences) AS occurrences
          FROM believed GROUP BY fingerprint, repository
    ), measured AS (
        SELECT fingerprint, count(*) AS repositories, {total("files")} AS files,
               {total("occurrences")} AS occurrences
          FROM repositories GROUP BY fingerprint
    )
    SELECT b.fingerprint, max(b.kind) AS kind, max(b.language) AS language, max(b.view) AS view, max(b.name) AS name,
           max(b.template) AS template, count(DISTINCT b.instance) AS instances, min(m.repositories) AS repositories,
           min(m.files) AS files, min(m.occurrences) AS occurrences
      FROM believed b JOIN measured m USING (fingerprint) GROUP BY b.fingerprint
""")  # noqa: S608 - a constant condition
_SEEN = text("""
    SELECT fingerprint, min(first_received_at) AS first_seen, max(received_at) AS last_seen,
           max(kind) AS kind, max(language) AS language, max(view) AS view
      FROM observations WHERE tenant = :tenant AND fingerprint = ANY(:fingerprints) GROUP BY fingerprint
""")
_FITTING: Final = """
           AND (:kind = '' OR o.kind = :kind) AND (:language = '' OR o.language = :language)
           AND (:q = '' OR position(lower(:q) IN lower(concat_ws(' ', o.fingerprint, o.name, o.template))) > 0)
"""
_BEFORE: Final = "coalesce(CAST(:at AS timestamptz), 'infinity')"
# Each pattern where it came up first; those that came up before are seen by a look into the index.
_NEWEST = text(f"""
    SELECT o.fingerprint, o.first_received_at FROM (
        SELECT tenant, fingerprint, instance, repository, kind, language, name, template, first_received_at
          FROM observations
         WHERE tenant = :tenant AND first_received_at <= {_BEFORE}
           AND (first_received_at < {_BEFORE} OR fingerprint > :fingerprint)
         ORDER BY first_received_at DESC, fingerprint LIMIT :scanned) AS o
     WHERE true {_FITTING}
       AND NOT EXISTS (SELECT FROM observations e WHERE e.tenant = o.tenant AND e.fingerprint = o.fingerprint
                          AND (e.first_received_at, e.instance, e.repository)
                            < (o.first_received_at, o.instance, o.repository))
       AND EXISTS (SELECT FROM observations e
                    WHERE e.tenant = o.tenant AND e.fingerprint = o.fingerprint AND NOT e.forgotten)
     ORDER BY o.first_received_at DESC, o.fingerprint LIMIT :limit
""")  # noqa: S608 - composed of constants
_SCANNED = text(f"""
    SELECT fingerprint, first_received_at FROM observations
     WHERE tenant = :tenant AND first_received_at <= {_BEFORE}
       AND (first_received_at < {_BEFORE} OR fingerprint > :fingerprint)
     ORDER BY first_received_at DESC, fingerprint OFFSET :scanned - 1 LIMIT 1
""")  # noqa: S608 - composed of constants
_OF_INSTANCE = text(f"""
    SELECT o.fingerprint, {total("o.files")} AS files FROM observations o
     WHERE o.tenant = :tenant AND o.instance = :instance AND NOT o.forgotten {_FITTING}
     GROUP BY o.fingerprint
    HAVING {total("o.files")} <= :files AND ({total("o.files")} < :files OR o.fingerprint > :fingerprint)
     ORDER BY files DESC, o.fingerprint LIMIT :limit
""")  # noqa: S608 - composed of constants
_RELEASES = text(f"""
    SELECT o.release, count(DISTINCT o.repository) AS repositories FROM observations o
     WHERE o.tenant = :tenant AND o.fingerprint = :fingerprint AND NOT o.forgotten AND o.release <> '' AND {TRUSTED}
     GROUP BY o.release ORDER BY repositories DESC, o.release LIMIT :limit
""")  # noqa: S608 - a constant condition

FILES_MAX: Final = 2**62
SCANNED_MAX: Final = 20_000

Arrival = tuple[datetime, str]
"""When a pattern came up, and its fingerprint."""

HOLDERS_MAX: Final = 100
EVERYBODY: Final = 2**31

_GONE: Final[dict[str, Any]] = {
    "kind": "", "language": "", "view": "", "name": "", "template": None,
    "instances": 0, "repositories": 0, "files": 0, "occurrences": 0,
}  # fmt: skip
RELEASES_MAX: Final = 50


class Pattern(Struct, frozen=True, kw_only=True):
    """One pattern; counts are of what believed instances have now."""

    fingerprint: str
    kind: str
    language: str
    view: str
    name: str
    template: str | None
    instances: int
    repositories: int
    files: int
    occurrences: int
    first_seen: datetime | None
    last_seen: datetime | None
    insight: Insight | None


class Wanted(Struct, frozen=True, kw_only=True):
    """Which patterns; an empty word leaves it open."""

    kind: str = ""
    language: str = ""
    q: str = ""


async def of(
    connection: AsyncConnection, tenant: str, fingerprints: Sequence[str], *, holders_max: int = HOLDERS_MAX
) -> list[Pattern]:
    """Read patterns, in the order given; nobody has ever reported those that are left out.

    What is an active insight is counted already; of what is none few have it, so that counting it is quick. Of what
    more than `holders_max` instances have, it is not looked up when it was seen.
    """
    merged = await insights.of_patterns(connection, tenant, fingerprints)
    active = {name: one for name, one in merged.items() if one.state == "active"}
    looked_up = [name for name in fingerprints if name not in active or active[name].instances <= holders_max]
    counted = await _by_fingerprint(connection, _COUNTED, tenant, [name for name in looked_up if name not in active])
    seen = await _by_fingerprint(connection, _SEEN, tenant, looked_up)
    return [
        _pattern(name, seen.get(name), counted.get(name), merged.get(name))
        for name in fingerprints
        if name in seen or name in active
    ]


async def newest(
    connection: AsyncConnection, tenant: str, wanted: Wanted, limit: int, after: Arrival | None = None
) -> tuple[list[Arrival], Arrival | None]:
    """Read patterns somebody still has as they came up, the last first, after one of them.

    No more than `SCANNED_MAX` observations are looked through; where that ends it, the second value is how far it got.
    """
    at, fingerprint = after or (None, "")
    values = {"tenant": tenant, "at": at, "fingerprint": fingerprint, "scanned": SCANNED_MAX}
    rows = await connection.execute(_NEWEST, values | {"limit": limit} | msgspec.structs.asdict(wanted))
    found = [(row.first_received_at, row.fingerprint) for row in rows]
    if len(found) == limit:
        return found, None
    last = (await connection.execute(_SCANNED, values)).one_or_none()
    return found, None if last is None else (last.first_received_at, last.fingerprint)


async def of_instance(
    connection: AsyncConnection,
    tenant: str,
    instance: str,
    wanted: Wanted,
    limit: int,
    after: tuple[int, str] | None = None,
) -> list[tuple[str, int]]:
    """Read fingerprints and files of what an instance has now, the most first, after one of them."""
    files, fingerprint = after or (FILES_MAX, "")
    values = {"tenant": tenant, "instance": instance, "files": files, "fingerprint": fingerprint, "limit": limit}
    rows = await connection.execute(_OF_INSTANCE, values | msgspec.structs.asdict(wanted))
    return [(name, found) for name, found in rows]


async def releases(connection: AsyncConnection, tenant: str, fingerprint: str) -> dict[str, int]:
    """Count repositories by the version of a framework or package they use, the most used first."""
    values = {"tenant": tenant, "fingerprint": fingerprint, "limit": RELEASES_MAX}
    return {row.release: row.repositories for row in await connection.execute(_RELEASES, values)}


async def _by_fingerprint(
    connection: AsyncConnection, statement: TextClause, tenant: str, fingerprints: Sequence[str]
) -> dict[str, RowMapping]:
    if not fingerprints:
        return {}
    values = {"tenant": tenant, "fingerprints": list(fingerprints)}
    return {row["fingerprint"]: row for row in (await connection.execute(statement, values)).mappings()}


def _pattern(fingerprint: str, seen: RowMapping | None, counted: RowMapping | None, merged: Insight | None) -> Pattern:
    """Describe a pattern by what was merged, by what was counted, or by what is left of one nobody has any more."""
    now: dict[str, Any] = _GONE
    if merged is not None and merged.state == "active":
        now = {name: getattr(merged, name) for name in _GONE}
    elif counted is not None:
        now = {name: counted[name] for name in _GONE}
    elif seen is not None:
        now = _GONE | {name: seen[name] for name in ("kind", "language", "view")}
    return Pattern(
        fingerprint=fingerprint,
        first_seen=seen["first_seen"] if seen else None,
        last_seen=seen["last_seen"] if seen else None,
        insight=merged,
        **now,
    )
