"""One tenant lets another see its insights: offered by the one, accepted by the other, ended by either.

Shared are the insights in force, and no instance is named in them. The two directions between tenants have nothing to
do with each other. What another shares is read, and never merged: it is no evidence here, and counted nowhere.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store import sharing
from schemas.names import is_name
from shared.errors import NotFoundError, UsageError

OFFERS_MAX: Final = 1_000
"""Of one tenant."""


async def offer(connection: AsyncConnection, owner: str, reader: str, by: str) -> bool:
    """Offer the insights of `owner` to `reader`, as the owner; False when they were offered already."""
    for name in (owner, reader):
        if not is_name(name):
            raise UsageError(f"{name!r} cannot be a tenant: use 1 to 63 of a-z, 0-9, - and _, a letter or digit first")
    if owner == reader:
        raise UsageError("a tenant has its own insights anyway; name another")
    if await sharing.count(connection, owner) >= OFFERS_MAX:
        raise UsageError(f"{owner} offers its insights to {OFFERS_MAX} others; end one first")
    return await sharing.offer(connection, owner, reader, by)


async def accept(connection: AsyncConnection, owner: str, reader: str, by: str) -> bool:
    """Accept what `owner` offers, as the reader; False when it was accepted already, NotFoundError without an offer."""
    try:
        is_new = await sharing.accept(connection, owner, reader, by)
    except IntegrityError as error:  # the owner has taken it back at this moment
        raise _not_offered(owner, reader) from error
    if not is_new and not await sharing.stands(connection, owner, reader):
        raise _not_offered(owner, reader)
    return is_new


def _not_offered(owner: str, reader: str) -> NotFoundError:
    return NotFoundError(f"{owner} offers nothing to {reader}; it has to do so first")
