"""Reading `observations`: for the merge, and as the evidence behind an insight."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.insights import Evidence

_QUARANTINED: Final = """
    EXISTS (SELECT FROM instance_registry r
             WHERE r.tenant = o.tenant AND r.instance_id = o.instance AND r.quarantined_at IS NOT NULL)
"""
_TRUSTED = text(f"""
    SELECT o.fingerprint, o.instance, o.repository, o.kind, o.language, o.view, o.name, o.template,
           o.files, o.occurrences, o.forgotten, o.epoch, o.version
      FROM observations o
     WHERE o.tenant = :tenant AND o.fingerprint = ANY(:fingerprints) AND NOT o.forgotten AND NOT {_QUARANTINED}
""")  # noqa: S608 - a constant condition
_HOLDINGS = text(f"""
    SELECT DISTINCT o.language, o.instance, o.repository
      FROM observations o WHERE o.tenant = :tenant AND NOT o.forgotten AND NOT {_QUARANTINED}
""")  # noqa: S608 - a constant condition
_EVIDENCE = text(f"""
    SELECT o.instance, o.repository, o.files, o.occurrences, o.version, o.epoch, o.seq, o.event_id, o.received_at,
           NOT {_QUARANTINED} AS trusted
      FROM observations o
     WHERE o.tenant = :tenant AND o.fingerprint = :fingerprint AND NOT o.forgotten
     ORDER BY trusted DESC, o.instance, o.repository LIMIT :limit
""")  # noqa: S608 - a constant condition


async def of_patterns(connection: AsyncConnection, tenant: str, fingerprints: Collection[str]) -> Sequence[RowMapping]:
    """Read what instances that are not in quarantine have now of some patterns: the fields of `Observation`."""
    rows = await connection.execute(_TRUSTED, {"tenant": tenant, "fingerprints": list(fingerprints)})
    return rows.mappings().all()


async def holdings(connection: AsyncConnection, tenant: str) -> list[tuple[str, str, str]]:
    """Read each (language, instance, repository) of instances that are not in quarantine."""
    rows = await connection.execute(_HOLDINGS, {"tenant": tenant})
    return [(language, instance, repository) for language, instance, repository in rows]


async def evidence(connection: AsyncConnection, tenant: str, fingerprint: str, limit: int) -> tuple[Evidence, ...]:
    """Read who has a pattern now and which event said so; trusted ones first."""
    values = {"tenant": tenant, "fingerprint": fingerprint, "limit": limit}
    rows = (await connection.execute(_EVIDENCE, values)).mappings()
    return tuple(Evidence(**row) for row in rows)
