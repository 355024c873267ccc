"""Insights down: what this delegate holds of the hub above is told to the region, in order, page by page."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.region.hub import RegionalHub
from instance.store import insights, region
from instance.store.region import Downward
from schemas.region import TOLD_MAX, InsightsTold
from shared.database import transaction
from shared.errors import UnreachableError

log = structlog.get_logger(__name__)

BEGINNING: Final = 0


class Telling:
    """Tells the region; how far it has heard is its own word, so that nothing is lost when one of the two was."""

    def __init__(self, engine: AsyncEngine, hub: RegionalHub) -> None:
        self._engine = engine
        self._hub = hub

    async def tell(self) -> int:
        """Tell what the region has not heard; returns how many insights."""
        async with transaction(self._engine) as connection:
            above = await region.downward(connection)
        if not above.complete or above.head == BEGINNING:
            return 0  # a region told of a part, or of nothing, would forget the rest
        question = InsightsTold(since=BEGINNING, version=BEGINNING, head=above.head)
        heard = (await self._hub.tell(question)).version
        anew = above.restarts != above.told_restarts or heard > above.head
        if anew:
            log.warning("the region is told everything anew", heard=heard, head=above.head)
        elif heard == above.head:
            return 0
        return await self._from(BEGINNING if anew else heard, above, begins=anew)

    async def _from(self, since: int, above: Downward, *, begins: bool) -> int:
        told = 0
        while True:
            page = await self._page(since, above.head, begins=begins)
            heard = (await self._hub.tell(page)).version
            if heard < page.version:
                raise UnreachableError("the region has not heard what it was told")
            told += len(page.insights)
            async with transaction(self._engine) as connection:
                await region.set_told(connection, heard, above.restarts)
            if page.version >= above.head or not page.insights:
                return told
            since, begins = page.version, False

    async def _page(self, since: int, head: int, *, begins: bool) -> InsightsTold:
        async with transaction(self._engine) as connection:
            held = await insights.since(connection, since, TOLD_MAX)
        changed = tuple(one.insight for one in held if one.insight.version <= head)
        version = changed[-1].version if changed else since
        return InsightsTold(since=since, version=version, head=head, insights=changed, begins=begins)
