"""One pattern looked up by a person: what it is, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.store.observations import Known, known


@dataclass(frozen=True)
class Found:
    """A pattern of one repository; `id` and `root` are the repository's."""

    id: int
    root: str
    pattern: Known


_BY_PREFIX = text("""
    SELECT r.id, r.root,
           encode(p.fingerprint, 'hex'), p.kind, p.language, p.view, p.template, p.names, p.tokens,
           p.files, p.occurrences, coalesce(o.version, 0), coalesce(o.files, 0), coalesce(o.occurrences, 0),
           coalesce(o.shared_template, false), coalesce(o.forgotten, false), p.body, coalesce(o.said, '{}')
      FROM patterns p JOIN repositories r ON r.id = p.repository_id
      LEFT JOIN observations o USING (repository_id, fingerprint)
     WHERE starts_with(encode(p.fingerprint, 'hex'), :prefix)
     ORDER BY p.fingerprint, p.files DESC, r.root LIMIT :limit
""")
_PLACES = text("""
    SELECT path FROM files
     WHERE repository_id = :id AND position(decode(:fingerprint, 'hex') IN postings) > 0
     ORDER BY path LIMIT :limit
""")


async def by_prefix(connection: AsyncConnection, prefix: str, limit: int) -> list[Found]:
    """Patterns, in every repository that has them, whose fingerprint begins so."""
    rows = await connection.execute(_BY_PREFIX, {"prefix": prefix, "limit": limit})
    return [Found(row[0], row[1], known(row[2:])) for row in rows]


async def places(connection: AsyncConnection, repository_id: int, fingerprint: str, limit: int) -> list[str]:
    """The first files of a repository that show a pattern, by path."""
    rows = await connection.execute(_PLACES, {"id": repository_id, "fingerprint": fingerprint, "limit": limit})
    return [path for (path,) in rows]
