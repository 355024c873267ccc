"""Reading what one instance has, and the insights that may or may not be for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store.observations import LANGUAGE_KIND
from centralcloud.store.sums import total
from schemas.codec import encode
from schemas.events import ArchitecturePatternLearned, CodePatternLearned, DependencyLearned, FrameworkLearned
from schemas.insights import Insight

DEPENDENCY_KIND: Final = ".".join(DependencyLearned.topic)
CODE_KIND: Final = ".".join(CodePatternLearned.topic)
KINDS: Final = [CODE_KIND, *(".".join(kind.topic) for kind in (ArchitecturePatternLearned, FrameworkLearned))]
"""What can be done as others do it; that others have a language, a package or a table is no advice."""

_FILES = text(f"""
    SELECT language, {total("files")} AS files
      FROM (SELECT CASE kind WHEN :language_kind THEN name ELSE language END AS language, repository,
                   max(files) AS files
              FROM observations
             WHERE tenant = :tenant AND instance = :instance AND NOT forgotten AND kind IN (:language_kind, :code_kind)
             GROUP BY 1, 2) AS found
     WHERE language <> '' GROUP BY 1
""")  # noqa: S608 - composed of constants
_PATTERNS = text("""
    SELECT DISTINCT fingerprint FROM observations WHERE tenant = :tenant AND instance = :instance AND NOT forgotten
""")
_UNUSED = text("""
    SELECT i.language AS ecosystem, i.body->>'name' AS name
      FROM insights i
     WHERE i.tenant = :tenant AND i.state = 'active' AND i.kind = :dependency_kind AND i.body->>'name' <> ''
       AND EXISTS (SELECT FROM observations o WHERE o.tenant = i.tenant AND o.instance = :instance
                      AND o.kind = i.kind AND o.language = i.language AND NOT o.forgotten)
       AND NOT EXISTS (SELECT FROM observations o WHERE o.tenant = i.tenant AND o.instance = :instance
                          AND o.fingerprint = i.id AND NOT o.forgotten)
""")
_CANDIDATES = text("""
    SELECT CAST(i.body AS text) FROM insights i
     WHERE i.tenant = :tenant AND i.state = 'active' AND i.kind = ANY(:kinds)
       AND (i.language = '' OR CAST(:files AS jsonb) ? i.language)
       AND NOT EXISTS (SELECT FROM observations o WHERE o.tenant = i.tenant AND o.instance = :instance
                          AND o.fingerprint = i.id AND NOT o.forgotten)
     ORDER BY CAST(i.body->>'confidence' AS double precision)
              * greatest(CAST(i.body->>'rate' AS double precision),
                         coalesce(CAST(i.body->>'file_rate' AS double precision), 0)
                         * coalesce(CAST(CAST(:files AS jsonb)->>i.language AS bigint), 0)) DESC, i.id
     LIMIT :limit
""")
_LEADING = text("""
    SELECT CAST(body AS text) FROM insights
     WHERE tenant = :tenant AND state = 'active' AND kind = ANY(:kinds)
     ORDER BY CAST(body->>'instances' AS bigint) DESC, id LIMIT :limit
""")


async def files_by_language(connection: AsyncConnection, tenant: str, instance: str) -> dict[str, int]:
    """Read how many files an instance has of each language; where it does not say, the most that show a pattern."""
    values = {
        "tenant": tenant,
        "instance": instance,
        "language_kind": LANGUAGE_KIND,
        "code_kind": CODE_KIND,
    }
    rows = await connection.execute(_FILES, values)
    return {row.language: row.files for row in rows}


async def patterns(connection: AsyncConnection, tenant: str, instance: str) -> set[str]:
    """Read the fingerprints of all an instance has."""
    return set((await connection.execute(_PATTERNS, {"tenant": tenant, "instance": instance})).scalars())


async def unused_packages(connection: AsyncConnection, tenant: str, instance: str) -> dict[str, list[str]]:
    """Read packages of the fleet that an instance does not have, by ecosystem, as far as it says what it has."""
    values = {"tenant": tenant, "instance": instance, "dependency_kind": DEPENDENCY_KIND}
    found: dict[str, list[str]] = defaultdict(list)
    for ecosystem, name in await connection.execute(_UNUSED, values):
        found[ecosystem].append(name)
    return found


async def candidates(
    connection: AsyncConnection, tenant: str, instance: str, files: Mapping[str, int], limit: int
) -> list[Insight]:
    """Read active insights an instance does not have in languages it has, by expected use."""
    values = {
        "tenant": tenant,
        "instance": instance,
        "files": encode(dict(files)).decode(),
        "kinds": KINDS,
        "limit": limit,
    }
    return [_decode(body) for body in (await connection.execute(_CANDIDATES, values)).scalars()]


async def leading(connection: AsyncConnection, tenant: str, limit: int) -> list[Insight]:
    """Read the active insights most instances have."""
    values = {"tenant": tenant, "kinds": KINDS, "limit": limit}
    return [_decode(body) for body in (await connection.execute(_LEADING, values)).scalars()]


def _decode(body: str) -> Insight:
    return msgspec.json.decode(body, type=Insight)
