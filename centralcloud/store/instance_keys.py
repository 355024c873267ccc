"""`instance_keys`: what each instance signs with; `hub_key`: what hubs vouch with for those who cannot sign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode
from schemas.subjects import Sender
from shared.signing import Signer

KnownBy = Literal["first use", "succession", "operator"]

REFUSED: Final = "signature: "
"""How the reason begins of every letter that was refused for its signature."""

_OF = text("""
    SELECT tenant, instance, public_key FROM instance_keys
      JOIN jsonb_to_recordset(CAST(:senders AS jsonb)) AS s(tenant text, instance text) USING (tenant, instance)
""")
_LEARN = text("""
    INSERT INTO instance_keys (tenant, instance, public_key, known_by)
    SELECT tenant, instance, public_key, 'first use'
      FROM jsonb_to_recordset(CAST(:keys AS jsonb)) AS k(tenant text, instance text, public_key text)
     ORDER BY tenant, instance
    ON CONFLICT DO NOTHING
""")
_SUCCEED = text("""
    UPDATE instance_keys SET public_key = :new, known_by = 'succession', since = now()
     WHERE (tenant, instance, public_key) = (:tenant, :instance, :old)
""")
_PIN = text("""
    INSERT INTO instance_keys (tenant, instance, public_key, known_by)
    VALUES (:tenant, :instance, :public_key, 'operator')
    ON CONFLICT (tenant, instance) DO UPDATE
       SET public_key = excluded.public_key, known_by = excluded.known_by, since = now()
""")
_FORGET = text("DELETE FROM instance_keys WHERE (tenant, instance) = (:tenant, :instance)")
_LIST = text("""
    SELECT k.instance, k.public_key, k.known_by, k.since,
           (SELECT count(*) FROM dead_letters d
             WHERE (d.tenant, d.instance) = (k.tenant, k.instance) AND d.replayed_at IS NULL
               AND starts_with(d.error, :refused)) AS refused
      FROM instance_keys k WHERE k.tenant = :tenant ORDER BY k.instance
""")
_REFUSED = text("""
    SELECT tenant, instance, (SELECT count(*) FROM (
               SELECT FROM dead_letters d
                WHERE (d.tenant, d.instance) = (s.tenant, s.instance) AND d.replayed_at IS NULL
                  AND starts_with(d.error, :refused) LIMIT :most) AS waiting)
      FROM jsonb_to_recordset(CAST(:senders AS jsonb)) AS s(tenant text, instance text)
""")
_MAKE_HUB_KEY = text("INSERT INTO hub_key (seed) VALUES (:seed) ON CONFLICT DO NOTHING")
_HUB_KEY = text("SELECT seed FROM hub_key")


class InstanceKey(Struct, frozen=True, kw_only=True):
    """A key that is known; `refused` counts letters of that name waiting that were not signed with it."""

    instance: str
    public_key: str
    known_by: KnownBy
    since: datetime
    refused: int


async def of(connection: AsyncConnection, senders: Iterable[Sender]) -> dict[Sender, str]:
    """Read the keys known of some instances."""
    rows = await connection.execute(_OF, {"senders": _rows(senders)})
    return {Sender(tenant, instance): key for tenant, instance, key in rows}


async def learn(connection: AsyncConnection, keys: Mapping[Sender, str]) -> dict[Sender, str]:
    """Remember the first keys of instances; returns what is known then: another hub may have heard another first."""
    rows = [one._asdict() | {"public_key": key} for one, key in keys.items()]
    await connection.execute(_LEARN, {"keys": encode(rows).decode()})
    return await of(connection, keys)


async def succeed(connection: AsyncConnection, sender: Sender, old: str, new: str) -> bool:
    """Let a key follow another; False when another key is known by now."""
    values = sender._asdict() | {"old": old, "new": new}
    return (await connection.execute(_SUCCEED, values)).rowcount == 1


async def pin(connection: AsyncConnection, sender: Sender, public_key: str) -> None:
    """Know a key by an operator's word, whatever was known before."""
    await connection.execute(_PIN, sender._asdict() | {"public_key": public_key})


async def forget(connection: AsyncConnection, sender: Sender) -> bool:
    """Know no key of an instance until it signs again; False when none was known."""
    return (await connection.execute(_FORGET, sender._asdict())).rowcount == 1


async def known(connection: AsyncConnection, tenant: str) -> list[InstanceKey]:
    """Read every key of a tenant, by instance."""
    rows = (await connection.execute(_LIST, {"tenant": tenant, "refused": REFUSED})).mappings()
    return [InstanceKey(**row) for row in rows]


async def refused(connection: AsyncConnection, senders: Iterable[Sender], most: int) -> dict[Sender, int]:
    """Count the letters waiting that were refused for their signature, up to `most` of each instance."""
    values = {"senders": _rows(senders), "refused": REFUSED, "most": most}
    return {Sender(tenant, instance): count for tenant, instance, count in await connection.execute(_REFUSED, values)}


async def hub_signer(connection: AsyncConnection) -> Signer:
    """The key of all hubs on this database, made when it is first asked for."""
    found = (await connection.execute(_HUB_KEY)).scalar()
    if found is None:
        await connection.execute(_MAKE_HUB_KEY, {"seed": Signer.new().seed})
        found = (await connection.execute(_HUB_KEY)).scalar_one()
    return Signer(found)


def _rows(senders: Iterable[Sender]) -> str:
    return encode([one._asdict() for one in senders]).decode()
