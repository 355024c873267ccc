"""Observations as counts to fit from, and the tables fitted."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store.observations import LANGUAGE_KIND, TRUSTED
from schemas.calibration import Calibration
from schemas.codec import encode

REPOSITORIES_MAX: Final = 60
"""Of a language, the first by their keys, which are digests: a sample that chance has drawn."""

_SIZES = text(f"""
    SELECT language, repository, files
      FROM (SELECT o.name AS language, o.repository, max(o.files) AS files,
                   row_number() OVER (PARTITION BY o.name ORDER BY o.repository) AS place
              FROM observations o
             WHERE o.tenant = :tenant AND o.kind = :language_kind AND NOT o.forgotten AND {TRUSTED}
             GROUP BY 1, 2) AS sizes
     WHERE place <= :repositories_max ORDER BY 1, 2
""")  # noqa: S608 - a constant condition
_COUNTS = text(f"""
    SELECT o.repository, o.fingerprint, max(o.files), max(o.bits)
      FROM observations o
     WHERE o.tenant = :tenant AND o.kind = 'code.pattern' AND o.view <> 'sequence' AND o.language = :language
       AND NOT o.forgotten
       AND o.repository = ANY(:repositories) AND {TRUSTED}
     GROUP BY 1, 2
""")  # noqa: S608 - a constant condition
_PUT = text("""
    INSERT INTO calibrations (tenant, language, body)
    SELECT :tenant, body->>'language', body FROM jsonb_array_elements(CAST(:tables AS jsonb)) AS body
    ON CONFLICT (tenant, language) DO UPDATE SET body = excluded.body, fitted_at = now()
     WHERE calibrations.body <> excluded.body
""")
_ALL = text("SELECT body FROM calibrations WHERE tenant = :tenant ORDER BY language")


class CountRow(NamedTuple):
    """A pattern in one repository: files with it, and what it tells in bits."""

    repository: str
    fingerprint: str
    files: int
    bits: float


async def sizes(connection: AsyncConnection, tenant: str) -> dict[str, dict[str, int]]:
    """Read files by repository by language, of repositories that say how many they have."""
    values = {"tenant": tenant, "language_kind": LANGUAGE_KIND, "repositories_max": REPOSITORIES_MAX}
    found: dict[str, dict[str, int]] = {}
    for language, repository, files in await connection.execute(_SIZES, values):
        found.setdefault(language, {})[repository] = files
    return found


async def counts(connection: AsyncConnection, tenant: str, language: str, repositories: list[str]) -> list[CountRow]:
    """Read every pattern of code in some repositories."""
    values = {"tenant": tenant, "language": language, "repositories": repositories}
    return [CountRow(*row) for row in await connection.execute(_COUNTS, values)]


async def put(connection: AsyncConnection, tenant: str, tables: list[Calibration]) -> None:
    """Keep the tables of a tenant."""
    await connection.execute(_PUT, {"tenant": tenant, "tables": encode(tables).decode()})


async def tables(connection: AsyncConnection, tenant: str) -> tuple[Calibration, ...]:
    """Read the tables of a tenant, by language."""
    rows = await connection.execute(_ALL, {"tenant": tenant})
    return tuple(msgspec.convert(body, Calibration) for body in rows.scalars())
