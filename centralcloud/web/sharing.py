"""What one tenant lets another see: who offers what to whom, doing so, and seeing it."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud import sharing
from centralcloud.store import sharing as stored
from centralcloud.web.paging import page, read_cursor
from centralcloud.web.shapes.common import Done, Listed
from centralcloud.web.shapes.sharing import GivenAsked, SharedAsked, SharingAsked, SharingItem, TakenAsked
from schemas.insights import Insight
from schemas.replies import ErrorCode
from shared.web.refusal import RefusedError


async def offers(connection: AsyncConnection, query: SharingAsked) -> Listed[SharingItem]:
    """List what is offered by the tenant and to it, accepted or not, by owner and reader."""
    after = read_cursor(query.after, tuple[str, str]) or stored.BEGINNING
    found = await stored.listed(connection, query.tenant, query.limit + 1, after)
    return page(found, query.limit, lambda one: (one.owner, one.reader), _item)


async def offer(connection: AsyncConnection, query: GivenAsked) -> Done:
    """Offer the tenant's insights to another."""
    return Done(changed=int(await sharing.offer(connection, query.tenant, query.reader, query.by)))


async def accept(connection: AsyncConnection, query: TakenAsked) -> Done:
    """Accept what another offers."""
    return Done(changed=int(await sharing.accept(connection, query.owner, query.tenant, query.by)))


async def end_giving(connection: AsyncConnection, query: GivenAsked) -> Done:
    """Share no more with another."""
    return Done(changed=int(await stored.end(connection, query.tenant, query.reader)))


async def end_taking(connection: AsyncConnection, query: TakenAsked) -> Done:
    """See no more of another."""
    return Done(changed=int(await stored.end(connection, query.owner, query.tenant)))


async def insights(connection: AsyncConnection, query: SharedAsked) -> Listed[Insight]:
    """List what another shares, last changed first; to be asked in a transaction of the tenant that reads."""
    if not await stored.may_read(connection, query.owner):
        raise RefusedError(403, ErrorCode.UNAUTHORIZED, f"{query.owner} shares nothing with {query.tenant}")
    place = read_cursor(query.after, tuple[int])
    before = place[0] if place else stored.NEWEST
    found = await stored.newest(
        connection, query.owner, kind=query.kind, language=query.language, limit=query.limit + 1, before=before
    )
    return page(found, query.limit, lambda one: (one.version,), lambda one: one)


def _item(one: stored.Sharing) -> SharingItem:
    return SharingItem(
        owner=one.owner,
        reader=one.reader,
        offered_by=one.offered_by,
        offered_at=one.offered_at,
        accepted_by=one.accepted_by,
        accepted_at=one.accepted_at,
    )
