"""What an operator does with the keys of instances."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.store import instance_keys
from centralcloud.store.instance_keys import InstanceKey
from schemas.names import is_name
from schemas.subjects import Sender
from shared.database import transaction
from shared.errors import NotFoundError, UsageError
from shared.signing import is_public_key


async def known_keys(engine: AsyncEngine, tenant: str) -> list[InstanceKey]:
    """Read every key of a tenant."""
    async with transaction(engine) as connection:
        return await instance_keys.known(connection, tenant)


async def pin_key(engine: AsyncEngine, tenant: str, instance: str, public_key: str) -> None:
    """Know this key and no other; UsageError for what is no name or no key."""
    if not is_name(instance):
        raise UsageError(f"{instance!r} cannot be an instance; `flocklore centralcloud instances` lists them")
    if not is_public_key(public_key):
        raise UsageError(f"{public_key!r} is not a public key; `flocklore instance key` shows that of an instance")
    async with transaction(engine) as connection:
        await instance_keys.pin(connection, Sender(tenant, instance), public_key)


async def forget_key(engine: AsyncEngine, tenant: str, instance: str) -> None:
    """Know no key of an instance; NotFoundError when none was known."""
    async with transaction(engine) as connection:
        if not await instance_keys.forget(connection, Sender(tenant, instance)):
            raise NotFoundError(
                f"no key is known of {instance}; `flocklore centralcloud keys list` shows those that are"
            )
