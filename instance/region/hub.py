"""The region's centralcloud, as its delegate asks it over the region's NATS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final, TypeVar

from schemas import subjects
from schemas.codec import encode
from schemas.insights import InsightsPage, InsightsQuery
from schemas.region import InsightsTold, RegionPage, RegionQuery, ResultsPage, ResultsQuery, ToldReply
from schemas.subjects import Sender
from shared.bus import Bus
from shared.client import data_of
from shared.errors import UnreachableError

T = TypeVar("T")

PAGE_SIZE: Final = 200


class RegionalHub:
    """Asks for one tenant; raises `UnreachableError` when nobody answers, `PermanentError` when it is refused."""

    def __init__(self, bus: Bus, sender: Sender) -> None:
        self._bus = bus
        self._sender = sender

    async def standing(self) -> RegionPage:
        """Which region it is, and whether what is the tenant's may leave it."""
        return await self._asked(subjects.REGION_QUERY, RegionQuery(tenant=self._sender.tenant), RegionPage)

    async def insights(self, since: int) -> InsightsPage:
        """A page of the insights that changed after a version, oldest change first; also one that says nothing new."""
        query = InsightsQuery(tenant=self._sender.tenant, since=since, limit=PAGE_SIZE)
        page = await self._asked(subjects.INSIGHTS_QUERY, query, InsightsPage)
        if not page.complete and not (page.insights and page.insights[-1].version > since):
            raise UnreachableError("the region's hub says that there is more, and nothing of it")
        return page

    async def results(self, since: datetime | None) -> AsyncIterator[ResultsPage]:
        """Page after page of the sums that changed since a time of the hub's clock; None: of all there are."""
        after = ""
        while True:
            query = ResultsQuery(tenant=self._sender.tenant, since=since, after=after, limit=PAGE_SIZE)
            page = await self._asked(subjects.RESULTS_QUERY, query, ResultsPage)
            yield page
            if not page.next:
                return
            if page.next == after:
                raise UnreachableError("the region's hub says that there are more results, and names no further ones")
            after = page.next

    async def tell(self, told: InsightsTold) -> ToldReply:
        """Tell it a page of what the hub above knows; returns how far it has heard."""
        return await self._asked(subjects.told(self._sender), told, ToldReply)

    async def _asked(self, subject: str, query: Any, kind: type[T]) -> T:
        return data_of(await self._bus.request(subject, encode(query)), kind)
