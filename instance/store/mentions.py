"""Patterns and insights in whose text some of a question's words may stand; which say most the caller ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MENTIONS_MAX: Final = 5000


@dataclass(frozen=True)
class Mention:
    """A pattern here or an insight of the fleet: `id` is its fingerprint, `support` the files or instances with it.

    A pattern names the repository where most files show it.
    """

    id: str
    kind: str
    language: str
    text: str
    support: int
    repository_id: int | None = None
    root: str | None = None


_PATTERNS = text("""
    SELECT * FROM (
        SELECT DISTINCT ON (p.fingerprint) encode(p.fingerprint, 'hex'), p.kind, p.language, p.template, p.files,
               p.repository_id, r.root
          FROM patterns p JOIN repositories r ON r.id = p.repository_id
         WHERE (p.files > 1 OR p.kind <> 'code.pattern') AND p.template ILIKE ANY(:likes)
         ORDER BY p.fingerprint, p.files DESC, r.root) AS found
     ORDER BY files DESC, 1 LIMIT :limit
""")
_COUNT_PATTERNS = text("""
    SELECT count(DISTINCT fingerprint) FROM patterns WHERE files > 1 OR kind <> 'code.pattern'
""")
_INSIGHTS = text("""
    SELECT id, body->>'kind', coalesce(body->>'language', ''), said, (body->>'instances')::integer AS instances
      FROM insights, concat_ws(' ', body->>'template', body->>'name') AS said
     WHERE state = 'active' AND NOT undone AND said ILIKE ANY(:likes)
     ORDER BY instances DESC, id LIMIT :limit
""")
_COUNT_INSIGHTS = text("SELECT count(*) FROM insights WHERE state = 'active' AND NOT undone")


async def patterns(connection: AsyncConnection, words: Sequence[str]) -> tuple[list[Mention], int]:
    """Patterns of two files or more and findings that may hold one of the words, and how many there are altogether."""
    rows = await connection.execute(_PATTERNS, {"likes": _likes(words), "limit": MENTIONS_MAX})
    return [Mention(*row) for row in rows], (await connection.execute(_COUNT_PATTERNS)).scalar_one()


async def insights(connection: AsyncConnection, words: Sequence[str]) -> tuple[list[Mention], int]:
    """Insights in use that may hold one of the words, and how many are in use altogether."""
    rows = await connection.execute(_INSIGHTS, {"likes": _likes(words), "limit": MENTIONS_MAX})
    return [Mention(*row) for row in rows], (await connection.execute(_COUNT_INSIGHTS)).scalar_one()


def _likes(words: Sequence[str]) -> list[str]:
    """Return what matches every text that holds a word in any of its forms, and some others."""
    return [f"%{word.removesuffix('y')}%" for word in words]  # "query" is also the stem of "queries"
