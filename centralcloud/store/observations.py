"""Reading `observations`: for the merge, and as the evidence behind an insight."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import LanguageLearned
from schemas.insights import Evidence

LANGUAGE_KIND: Final = ".".join(LanguageLearned.topic)

TRUSTED: Final = "NOT EXISTS (SELECT FROM distrusted d WHERE d.tenant = o.tenant AND d.instance = o.instance)"
"""Whether the word of the instance behind a row `o` of observations counts."""

_OF_PATTERNS = text(f"""
    SELECT o.fingerprint, o.instance, o.repository, o.kind, o.language, o.view, o.name, o.template,
           o.files, o.occurrences, o.forgotten, o.epoch, o.version, o.release
      FROM observations o
     WHERE o.tenant = :tenant AND o.fingerprint = ANY(:fingerprints) AND NOT o.forgotten AND {TRUSTED}
""")  # noqa: S608 - a constant condition
_HOLDINGS = text(f"""
    SELECT CASE o.kind WHEN :language_kind THEN o.name ELSE o.language END AS language, o.instance, o.repository,
           coalesce(max(o.files) FILTER (WHERE o.kind = :language_kind), 0) AS files
      FROM observations o WHERE o.tenant = :tenant AND NOT o.forgotten AND {TRUSTED}
     GROUP BY 1, 2, 3
""")  # noqa: S608 - a constant condition
_EVIDENCE = text(f"""
    SELECT o.instance, o.repository, o.files, o.occurrences, o.version, o.epoch, o.seq, o.event_id, o.received_at,
           {TRUSTED} AS trusted
      FROM observations o
     WHERE o.tenant = :tenant AND o.fingerprint = :fingerprint AND NOT o.forgotten
     ORDER BY trusted DESC, o.instance, o.repository LIMIT :limit
""")  # noqa: S608 - a constant condition


async def of_patterns(connection: AsyncConnection, tenant: str, fingerprints: Collection[str]) -> Sequence[RowMapping]:
    """Read what instances that are not distrusted have now of some patterns: the fields of `Observation`."""
    rows = await connection.execute(_OF_PATTERNS, {"tenant": tenant, "fingerprints": list(fingerprints)})
    return rows.mappings().all()


async def holdings(connection: AsyncConnection, tenant: str) -> list[tuple[str, str, str, int]]:
    """Read each (language, instance, repository, files of the language or 0) of instances not distrusted."""
    rows = await connection.execute(_HOLDINGS, {"tenant": tenant, "language_kind": LANGUAGE_KIND})
    return [(language, instance, repository, files) for language, instance, repository, files in rows]


async def evidence(connection: AsyncConnection, tenant: str, fingerprint: str, limit: int) -> tuple[Evidence, ...]:
    """Read who has a pattern now and which event said so; trusted ones first."""
    values = {"tenant": tenant, "fingerprint": fingerprint, "limit": limit}
    rows = (await connection.execute(_EVIDENCE, values)).mappings()
    return tuple(Evidence(**row) for row in rows)
