"""The key an instance signs with: shown, and replaced by one the old key vouches for."""

from __future__ import annotations

from msgspec import Struct

from instance.cli.target import open_target, resolve_settings
from instance.store import signing_key
from schemas.subjects import Sender
from shared.database import transaction
from shared.errors import NotFoundError


class SigningKey(Struct, frozen=True, kw_only=True):
    """Whose key it is; `replaced` counts the keys before it that it can still tell of."""

    tenant: str
    instance_id: str
    public_key: str
    replaced: int


async def key_of(name: str | None, *, rotate: bool) -> SigningKey:
    """Read the key of an instance, after replacing it where asked to; NotFoundError when it has none yet."""
    async with open_target(resolve_settings(name)) as target, transaction(target.engine) as connection:
        me = target.identity
        signer = await signing_key.get(connection, for_update=rotate)
        if signer is None:
            raise NotFoundError(f"{me.instance_id} has no key yet; it makes one when it is started")
        if rotate:
            signer = signer.followed(Sender(me.tenant, me.instance_id))
            await signing_key.replace(connection, signer)
    return SigningKey(
        tenant=me.tenant,
        instance_id=me.instance_id,
        public_key=signer.public,
        replaced=len(signer.succession),
    )
