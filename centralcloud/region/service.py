"""What a delegate asks and tells over NATS, and what answers it."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from nats.aio.msg import Msg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.queries.service import QUEUE
from centralcloud.region.above import Heard, hear
from centralcloud.region.pinning import refusal, where
from centralcloud.region.results import results_page
from centralcloud.store.tenancy import of_tenant
from schemas import subjects
from schemas.codec import decode
from schemas.region import InsightsTold, RegionPage, RegionQuery, ResultsQuery, ToldReply
from schemas.replies import ErrorBody, ErrorCode, failure
from schemas.subjects import Sender, sender_of
from shared.answering import ANSWER_SECONDS_MAX, Answers, Route
from shared.bus import Bus


class RegionQueries(Answers):
    """Answers for as long as the bus runs; any number of hubs share the work."""

    def __init__(self, engine: AsyncEngine, bus: Bus, *, region: str, instances_min: int) -> None:
        async def belonging(connection: AsyncConnection, query: RegionQuery) -> RegionPage:
            return await where(connection, query.tenant, region)

        routes = (
            Route(subjects.REGION_QUERY, RegionQuery, belonging),
            Route(subjects.RESULTS_QUERY, ResultsQuery, partial(results_page, instances_min=instances_min)),
        )
        super().__init__(engine, bus, routes, queue=QUEUE)

    def begin(self, tenant: str) -> AbstractAsyncContextManager[AsyncConnection]:
        """Answer from what this tenant has: the database gives no other's rows."""
        return of_tenant(self.engine, tenant)


class Listening(Answers):
    """Hears what is known above, from the instance that is the region's delegate and from nobody else."""

    def __init__(self, engine: AsyncEngine, bus: Bus, *, region: str, delegate: str) -> None:
        """`delegate` is the name of an instance; empty: nobody is heard."""
        super().__init__(engine, bus, [Route(subjects.TOLD, InsightsTold, self._hear)], queue=QUEUE)
        self._region = region
        self._delegate = delegate

    async def answer(self, route: Route, message: Msg) -> Any:
        """Take in a page; whose word it is, the subject says."""
        sender = sender_of(message.subject)
        if sender is None or sender.instance != self._delegate:
            return failure(ErrorCode.UNAUTHORIZED, _unheard(sender, self._delegate))
        heard = Heard(sender, decode(message.data, InsightsTold))
        async with asyncio.timeout(ANSWER_SECONDS_MAX), of_tenant(self.engine, sender.tenant) as connection:
            return await route.answer(connection, heard)

    async def _hear(self, connection: AsyncConnection, heard: Heard) -> ToldReply | ErrorBody:
        refused = await refusal(connection, heard.sender.tenant, self._region)
        return refused or await hear(connection, heard)


def _unheard(sender: Sender | None, delegate: str) -> str:
    heard = f"this region hears {delegate} alone" if delegate else "this region hears nobody"
    who = sender.instance if sender else "a subject without a name"
    return f"{heard}, and this is {who}; see the setting region_delegate of its hub"
