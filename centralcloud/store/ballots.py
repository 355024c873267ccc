"""Reading `observations` as ballots: what every instance not in quarantine says of every pattern another knows too."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store.observations import LANGUAGE_KIND
from centralcloud.store.sums import total
from schemas.events import CodePatternLearned

_CODE_KIND: Final = ".".join(CodePatternLearned.topic)

# Whoever is set aside is judged again, so that it may come back; whoever is in quarantine is not heard at all.
_HEARD: Final = """
    o.tenant = :tenant AND NOT o.forgotten AND NOT EXISTS (
        SELECT FROM instance_registry r
         WHERE r.tenant = o.tenant AND r.instance_id = o.instance AND r.quarantined_at IS NOT NULL)
"""
_SIZES = text(f"""
    SELECT language, instance, {total("files")} AS files
      FROM (SELECT CASE o.kind WHEN :language_kind THEN o.name ELSE o.language END AS language, o.instance,
                   o.repository, max(o.files) AS files
              FROM observations o WHERE o.kind IN (:language_kind, :code_kind) AND {_HEARD}
             GROUP BY 1, 2, 3) AS sizes
     GROUP BY 1, 2 ORDER BY 1, 2
""")  # noqa: S608 - a constant condition
_FACTS = text(f"""
    SELECT language, array_agg(place ORDER BY place), array_agg(files ORDER BY place)
      FROM (SELECT o.fingerprint, o.language, k.place, {total("o.files")} AS files,
                   min(o.repository) AS first, max(o.repository) AS last
              FROM observations o
              JOIN unnest(CAST(:instances AS text[])) WITH ORDINALITY AS k(instance, place) ON k.instance = o.instance
             WHERE o.kind = :code_kind AND {_HEARD}
             GROUP BY 1, 2, 3) AS reports
     GROUP BY fingerprint, language HAVING count(*) > 1 AND min(first) <> max(last) ORDER BY fingerprint, language
""")  # noqa: S608 - a constant condition


class FactRow(NamedTuple):
    """One pattern of a language: positions of the instances that report it, from 1, and their files with it."""

    language: str
    places: list[int]
    files: list[int]


async def sizes(connection: AsyncConnection, tenant: str) -> dict[tuple[str, str], int]:
    """Read the files by (language, instance); of who does not say, the most that show one pattern."""
    values = {"tenant": tenant, "language_kind": LANGUAGE_KIND, "code_kind": _CODE_KIND}
    return {(language, instance): files for language, instance, files in await connection.execute(_SIZES, values)}


async def facts(connection: AsyncConnection, tenant: str, instances: list[str]) -> list[FactRow]:
    """Read every pattern of code that two or more of these instances report, in two or more repositories."""
    values = {"tenant": tenant, "code_kind": _CODE_KIND, "instances": instances}
    return [FactRow(*row) for row in await connection.execute(_FACTS, values)]
