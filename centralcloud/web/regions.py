"""Where a tenant belongs: which regions may hold what it has, and which one serves it now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.region.pinning import where
from centralcloud.web.shapes.system import RegionAsked
from schemas.region import RegionPage


def region(own: str) -> Callable[[AsyncConnection, RegionAsked], Awaitable[RegionPage]]:
    """Make the answer of a hub in the region `own`."""

    async def answer(connection: AsyncConnection, query: RegionAsked) -> RegionPage:
        return await where(connection, query.tenant, own)

    return answer
