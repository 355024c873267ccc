"""Reading templates of insights to find near-duplicates, and how far that has gone."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_UNCLUSTERED = text("""
    SELECT DISTINCT i.language FROM insights i JOIN insight_heads h USING (tenant)
     WHERE i.tenant = :tenant AND i.version > h.clustered AND i.kind = 'code.pattern' ORDER BY 1
""")
_TEMPLATES = text("""
    SELECT id, body->>'template' AS template, coalesce(body->>'cluster', '') AS cluster
      FROM insights
     WHERE tenant = :tenant AND language = :language AND state = 'active' AND kind = 'code.pattern'
       AND body->>'template' IS NOT NULL
     ORDER BY CAST(body->>'instances' AS bigint) DESC, CAST(body->>'confidence' AS double precision) DESC, id
     LIMIT :limit
""")
_NOTE = text("UPDATE insight_heads SET clustered = version WHERE tenant = :tenant AND clustered <> version")


class Shown(NamedTuple):
    """An insight with a template, and the cluster it is in."""

    id: str
    template: str
    cluster: str


async def unclustered(connection: AsyncConnection, tenant: str) -> list[str]:
    """Read the languages in which patterns of code changed since near-duplicates were last sought."""
    return list((await connection.execute(_UNCLUSTERED, {"tenant": tenant})).scalars())


async def templates(connection: AsyncConnection, tenant: str, language: str, limit: int) -> list[Shown]:
    """Read the insights of a language that show a template, those most instances have first."""
    values = {"tenant": tenant, "language": language, "limit": limit}
    return [Shown(*row) for row in await connection.execute(_TEMPLATES, values)]


async def note_clustered(connection: AsyncConnection, tenant: str) -> None:
    """Note that near-duplicates were sought among all insights there are."""
    await connection.execute(_NOTE, {"tenant": tenant})
