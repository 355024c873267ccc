"""Insights down: a broadcast is a hint, the truth is asked for since the version we have."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, TypeVar

import structlog
from msgspec import Struct
from nats.aio.msg import Msg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.store import calibrations, insights, routing
from instance.sync.gate import INSTANCES_MIN
from schemas import subjects
from schemas.calibration import CalibrationPage, CalibrationQuery
from schemas.codec import InvalidMessageError, decode, encode
from schemas.headers import TRACEPARENT
from schemas.insights import Insight, InsightsPage, InsightsQuery, PatternAggregation
from schemas.replies import Response
from schemas.routing_pages import RoutingPage, RoutingQuery, RoutingUpdated
from shared import tracing
from shared.bus import Bus
from shared.database import transaction
from shared.errors import UnreachableError
from shared.metrics import Metrics
from shared.service import Service

log = structlog.get_logger(__name__)

T = TypeVar("T")

ASK_SECONDS: Final = 10.0
JITTER: Final = (0.8, 1.2)
"""Instances that were started together shall not ask together for ever."""
PAGE_SIZE: Final = 200
_HINTS: Final[dict[str, type[PatternAggregation | RoutingUpdated]]] = {
    subjects.INSIGHTS_AGGREGATED: PatternAggregation,
    subjects.INSIGHTS_ROUTING: RoutingUpdated,
}
"""Hints that say whose they are."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Downlink(Service):
    """Applies every change once: on connect, on a hint, and about every ten seconds in case a hint was lost."""

    name = "downlink"

    def __init__(
        self, engine: AsyncEngine, bus: Bus, tenant: str, metrics: Metrics, *, ask_seconds: float = ASK_SECONDS
    ) -> None:
        super().__init__()
        self.on_applied: Callable[[], None] = lambda: None
        """Called when insights were applied."""
        self._engine = engine
        self._bus = bus
        self._tenant = tenant
        self._metrics = metrics
        self._ask_seconds = ask_seconds
        self._ask = asyncio.Event()
        self._connected_anew = True
        self._priors_due = True
        self._announced = ""
        bus.subscribe(subjects.INSIGHTS, self._hint)
        bus.on_connect(self._connected)

    async def run(self) -> None:
        """Catch up, then wait for a reason to look again."""
        while True:
            await self._bus.connected.wait()
            self._ask.clear()
            try:
                await self.catch_up()
                if self._connected_anew:
                    await self.calibrate()
                    self._connected_anew = False
                if self._priors_due:
                    await self.fetch_priors()
            except UnreachableError as error:
                log.debug("no insights now", reason=str(error))
            except DBAPIError as error:
                log.warning("what centralcloud says cannot be kept", error=str(error.orig))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ask.wait(), self._ask_seconds * random.uniform(*JITTER))  # noqa: S311

    async def catch_up(self) -> int:
        """Ask for pages since our version until there are no more; returns how many changes were applied."""
        applied, starting_over = 0, False
        while True:
            async with transaction(self._engine) as connection:
                since = await insights.version(connection)
            page = await self._page(since)
            if page.head < since:
                log.warning("centralcloud counts from the beginning again", its_head=page.head, ours=since)
                async with transaction(self._engine) as connection:
                    await insights.start_over(connection)
                starting_over = True
                continue
            if not page.complete and not (page.insights and page.insights[-1].version > since):
                raise UnreachableError("centralcloud says that there is more, and nothing of it")
            with self._traced(page):
                await self._apply(page, starting_over=starting_over)
            applied += len(page.insights)
            if page.complete:
                return applied

    async def calibrate(self) -> None:
        """Fetch the tables that tell how far evidence can be trusted."""
        query = CalibrationQuery(tenant=self._tenant)
        page = await self._asked(subjects.CALIBRATION_QUERY, query, Response[CalibrationPage])
        async with transaction(self._engine) as connection:
            await calibrations.replace(connection, page.tables)

    async def fetch_priors(self) -> None:
        """Fetch what the fleet has seen models do; `UnreachableError` also when it changes in between."""
        self._priors_due = False
        try:
            pages = await self._priors_pages()
        except UnreachableError:
            self._priors_due = True
            raise
        async with transaction(self._engine) as connection:
            await routing.replace(
                connection, pages[0].content.day, [one for page in pages for one in page.content.priors]
            )

    async def _page(self, since: int) -> InsightsPage:
        query = InsightsQuery(tenant=self._tenant, since=since, limit=PAGE_SIZE)
        return await self._asked(subjects.INSIGHTS_QUERY, query, Response[InsightsPage])

    async def _priors_pages(self) -> list[RoutingPage]:
        first = await self._priors_page(0)
        pages = [first, *[await self._priors_page(number) for number in range(1, first.pages)]]
        if any(page.digest != first.digest for page in pages):
            raise UnreachableError("the priors for routing changed while they were fetched")
        return pages

    async def _priors_page(self, number: int) -> RoutingPage:
        query = RoutingQuery(tenant=self._tenant, page=number)
        return await self._asked(subjects.ROUTING_QUERY, query, Response[RoutingPage])

    async def _asked(self, subject: str, query: Struct, kind: type[Response[T]]) -> T:
        try:
            reply = decode(await self._bus.request(subject, encode(query)), kind)
        except InvalidMessageError as error:
            raise UnreachableError(f"centralcloud's answer is unreadable: {error}") from error
        if reply.data is None:
            raise UnreachableError(reply.error.message if reply.error else "an empty answer")
        return reply.data

    async def _apply(self, page: InsightsPage, *, starting_over: bool) -> None:
        upto = page.head if page.complete else page.insights[-1].version
        async with transaction(self._engine) as connection:
            await insights.apply(connection, page.insights, upto, complete=page.complete)
            await insights.put_public_names(connection, [pair for insight in page.insights for pair in _names(insight)])
            if page.complete and starting_over:
                await insights.revoke_unseen(connection)
        self._metrics.insights_applied.inc(len(page.insights))
        if page.insights:
            log.info("insights applied", changes=len(page.insights), version=upto)
            self.on_applied()

    def _traced(self, page: InsightsPage) -> AbstractContextManager[None]:
        """Be in the trace of what announced these insights; when there are none, in none."""
        announced, self._announced = self._announced, ""
        if not page.insights:
            return contextlib.nullcontext()
        return tracing.span("apply insights", kind="consumer", parents=[announced], changes=len(page.insights))

    async def _connected(self) -> None:
        self._connected_anew = self._priors_due = True
        self._ask.set()

    async def _hint(self, message: Msg) -> None:
        kind = _HINTS.get(message.subject)
        try:
            if kind is not None and decode(message.data, kind).tenant != self._tenant:
                return
        except InvalidMessageError as error:
            log.warning("unreadable hint", error=str(error))
        if kind is RoutingUpdated:
            self._priors_due = True
        if kind is PatternAggregation:
            self._announced = (message.headers or {}).get(TRACEPARENT, "")
        self._ask.set()


def _names(insight: Insight) -> list[tuple[str, str]]:
    """Names in the template of an insight that many instances share are public from then on."""
    if insight.template is None or insight.instances < INSTANCES_MIN:
        return []
    return [(insight.language, name) for name in _NAME.findall(insight.template)]
