"""`insights_above` and `tellings`: what the hub above was heard to know, and how far it has been told.

A telling that begins anew takes the next number. What it has not said again when it is complete is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode
from schemas.insights import Insight

_ENSURE = text("INSERT INTO tellings (tenant, instance) VALUES (:tenant, :instance) ON CONFLICT DO NOTHING")
_LOCK = text("SELECT instance, number, version FROM tellings WHERE tenant = :tenant FOR UPDATE")
_NOTE = text("""
    UPDATE tellings SET instance = :instance, number = :number, version = :version, told_at = clock_timestamp()
     WHERE tenant = :tenant
""")
_PUT = text("""
    INSERT INTO insights_above AS a (tenant, id, number, version, state, body)
    SELECT :tenant, body->>'id', :number, CAST(body->>'version' AS bigint), body->>'state', body
      FROM jsonb_array_elements(CAST(:bodies AS jsonb)) AS told(body)
    ON CONFLICT (tenant, id) DO UPDATE
       SET number = excluded.number, version = excluded.version, state = excluded.state, body = excluded.body,
           told_at = clock_timestamp()
     WHERE (a.number, a.version) < (excluded.number, excluded.version)
    RETURNING id
""")
_DROP = text("DELETE FROM insights_above WHERE tenant = :tenant AND number < :number RETURNING id")
_ACTIVE = text("""
    SELECT CAST(body AS text) FROM insights_above WHERE tenant = :tenant AND id = ANY(:ids) AND state = 'active'
""")


class Telling(NamedTuple):
    """Who tells, the how manieth time from the beginning, and how far."""

    instance: str
    number: int
    version: int


async def lock(connection: AsyncConnection, tenant: str, instance: str) -> Telling:
    """Become the only one that listens for a tenant until the transaction ends; a first telling is the instance's."""
    await connection.execute(_ENSURE, {"tenant": tenant, "instance": instance})
    return Telling(*(await connection.execute(_LOCK, {"tenant": tenant})).one())


async def note(connection: AsyncConnection, tenant: str, telling: Telling) -> None:
    """Note how far has been told."""
    await connection.execute(_NOTE, {"tenant": tenant, **telling._asdict()})


async def put(connection: AsyncConnection, tenant: str, number: int, told: Sequence[Insight]) -> set[str]:
    """Keep the newest version of each, one of an earlier telling being older; returns the ids of what changed."""
    newest = {one.id: one for one in sorted(told, key=lambda one: one.version)}
    values = {"tenant": tenant, "number": number, "bodies": encode(list(newest.values())).decode()}
    return set((await connection.execute(_PUT, values)).scalars())


async def drop_before(connection: AsyncConnection, tenant: str, number: int) -> set[str]:
    """Forget what was told last before this telling; returns the ids."""
    return set((await connection.execute(_DROP, {"tenant": tenant, "number": number})).scalars())


async def active(connection: AsyncConnection, tenant: str, ids: Collection[str]) -> dict[str, Insight]:
    """Read those of some insights that are known above, as they were told."""
    if not ids:
        return {}
    bodies = (await connection.execute(_ACTIVE, {"tenant": tenant, "ids": list(ids)})).scalars()
    return {one.id: one for one in (msgspec.json.decode(body, type=Insight) for body in bodies)}
