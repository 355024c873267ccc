"""`instance_trust`, and what every instance's word weighs: its trust, less the longer it has been silent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode

WEEK_SECONDS: Final = 604_800

# Weeks begin for everybody at once, so that the ageing of a silent instance has its languages measured again once a
# week; the week it was last heard in and the one now do not count.
_WEIGHTS = text("""
    WITH heard AS (
        SELECT instance, max(at) AS at
          FROM (SELECT instance_id AS instance, last_heartbeat AS at FROM instance_registry WHERE tenant = :tenant
                 UNION ALL
                SELECT instance, updated_at FROM watermarks WHERE tenant = :tenant) AS signs
         GROUP BY instance
    )
    SELECT coalesce(h.instance, t.instance) AS instance,
           CASE WHEN t.released_at IS NULL THEN coalesce(t.trust, 1) ELSE 1 END AS trust,
           greatest(0, CAST(floor(extract(epoch FROM clock_timestamp()) / :week)
                          - floor(extract(epoch FROM h.at) / :week) AS integer) - 1) AS weeks_silent
      FROM heard h FULL JOIN (SELECT * FROM instance_trust WHERE tenant = :tenant) AS t USING (instance)
""")
_STORED = text("SELECT instance, trust, z, facts, since, released_at FROM instance_trust WHERE tenant = :tenant")
_PUT = text("""
    INSERT INTO instance_trust AS t (tenant, instance, trust, z, facts)
    SELECT :tenant, instance, trust, z, facts
      FROM jsonb_to_recordset(CAST(:rows AS jsonb))
           AS r(instance text, trust double precision, z double precision, facts bigint)
     ORDER BY instance
    ON CONFLICT (tenant, instance) DO UPDATE
       SET since = CASE t.trust WHEN excluded.trust THEN t.since ELSE now() END,
           trust = excluded.trust, z = excluded.z, facts = excluded.facts
""")
_DROP = text("""
    DELETE FROM instance_trust
     WHERE tenant = :tenant AND NOT instance = ANY(:instances) AND released_at IS NULL
""")
_RELEASE = text("""
    UPDATE instance_trust SET released_at = clock_timestamp()
     WHERE (tenant, instance) = (:tenant, :instance) AND released_at IS NULL
""")
_RECALL = text("""
    UPDATE instance_trust SET released_at = NULL WHERE (tenant, instance) = (:tenant, :instance)
""")


class Weight(Struct, frozen=True):
    """What the word of one instance weighs."""

    instance: str
    trust: float
    weeks_silent: int


class Doubt(Struct, frozen=True, kw_only=True):
    """One instance that is not wholly believed, or was not and has been released."""

    instance: str
    trust: float
    z: float
    facts: int
    since: datetime
    released_at: datetime | None

    @property
    def set_aside(self) -> bool:
        """Whether its word does not count at all."""
        return self.trust == 0 and self.released_at is None


class TrustRow(Struct, frozen=True):
    """A judgement to be kept."""

    instance: str
    trust: float
    z: float
    facts: int


async def weights(connection: AsyncConnection, tenant: str) -> list[Weight]:
    """Read every instance that was ever heard or judged; by the database's clock."""
    return [Weight(*row) for row in await connection.execute(_WEIGHTS, {"tenant": tenant, "week": WEEK_SECONDS})]


async def doubts(connection: AsyncConnection, tenant: str) -> list[Doubt]:
    """Read who is not wholly believed, by name."""
    rows = (await connection.execute(_STORED, {"tenant": tenant})).mappings()
    return sorted((Doubt(**row) for row in rows), key=lambda one: one.instance)


async def keep(connection: AsyncConnection, tenant: str, rows: Iterable[TrustRow]) -> None:
    """Make these the judgements; whoever is not among them is believed, and who was released stays so."""
    found = list(rows)
    await connection.execute(_DROP, {"tenant": tenant, "instances": [row.instance for row in found]})
    await connection.execute(_PUT, {"tenant": tenant, "rows": encode(found).decode()})


async def release(connection: AsyncConnection, tenant: str, instance: str) -> bool:
    """Believe an instance in spite of the judgement; False when there is none against it."""
    return (await connection.execute(_RELEASE, {"tenant": tenant, "instance": instance})).rowcount == 1


async def recall(connection: AsyncConnection, tenant: str, instance: str) -> None:
    """Let the judgement hold again."""
    await connection.execute(_RECALL, {"tenant": tenant, "instance": instance})
