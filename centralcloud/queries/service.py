"""What centralcloud is asked over NATS, and what answers it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from nats.aio.msg import Msg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.queries import answers
from centralcloud.queries.recommendations import recommendations_page
from centralcloud.store.tenancy import of_tenant
from schemas import subjects
from schemas.calibration import CalibrationQuery
from schemas.insights import InsightsPage, InsightsQuery, InstancesQuery, StatisticsQuery, WhyQuery
from schemas.recommendations import RecommendationsQuery
from schemas.routing_pages import RoutingQuery
from shared.answering import Answers, Route
from shared.bus import Bus

QUEUE: Final = "centralcloud"

ROUTES: Final = (
    Route(subjects.INSIGHTS_QUERY, InsightsQuery, answers.insights_page, foreign=answers.shared_insights_page),
    Route(subjects.CACHE_SYNC_REQUEST, InsightsQuery, answers.insights_page),
    Route(subjects.RECOMMENDATIONS_QUERY, RecommendationsQuery, recommendations_page),
    Route(subjects.CALIBRATION_QUERY, CalibrationQuery, answers.calibration_page),
    Route(subjects.ROUTING_QUERY, RoutingQuery, answers.routing_page),
    Route(subjects.WHY_QUERY, WhyQuery, answers.provenance),
    Route(subjects.STATISTICS_QUERY, StatisticsQuery, answers.global_statistics),
    Route(subjects.INSTANCES_QUERY, InstancesQuery, answers.instances_page),
)


class Queries(Answers):
    """Answers for as long as the bus runs; any number of hubs share the work."""

    def __init__(self, engine: AsyncEngine, bus: Bus) -> None:
        super().__init__(engine, bus, ROUTES, queue=QUEUE)

    def begin(self, tenant: str) -> AbstractAsyncContextManager[AsyncConnection]:
        """Answer from what the tenant that asks has or may see: the database gives no other rows."""
        return of_tenant(self.engine, tenant)

    async def answer(self, route: Route, message: Msg) -> Any:
        """Answer, and count what is handed out of the fleet's knowledge."""
        data = await super().answer(route, message)
        if isinstance(data, InsightsPage):
            self.metrics.insights_told.inc(len(data.insights))
        return data
