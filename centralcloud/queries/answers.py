"""The answer to each request, from one transaction on the database."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store import calibrations, insights, observations, registry, routing, sharing, statistics
from schemas.calibration import CalibrationPage, CalibrationQuery
from schemas.codec import encode
from schemas.insights import (
    GlobalStatistics,
    Insight,
    InsightsPage,
    InsightsQuery,
    InstancesPage,
    InstancesQuery,
    Provenance,
    StatisticsQuery,
    WhyQuery,
)
from schemas.routing_pages import RoutingPage, RoutingQuery
from shared.answering import ForeignTenantError
from shared.errors import NotFoundError

PAGE_BYTES_MAX: Final = 512 * 1024
"""Half of what NATS lets a message carry by default."""


async def insights_page(connection: AsyncConnection, query: InsightsQuery) -> InsightsPage:
    """Give the changes after `since`, as many as asked for and as fit into a message."""
    head = await insights.head(connection, query.tenant)
    changed = await insights.changed_since(connection, query.tenant, query.since, head, query.limit + 1)
    return _page(head, changed, query.limit)


async def shared_insights_page(connection: AsyncConnection, query: InsightsQuery) -> InsightsPage:
    """Give what another tenant shares with the one that asks, as a page of insights; ForeignTenantError if nothing."""
    if not await sharing.may_read(connection, query.tenant):
        raise ForeignTenantError(f"tenant {query.tenant} shares nothing with the one of the reply subject")
    head = await sharing.head(connection, query.tenant)
    changed = await sharing.changed_since(connection, query.tenant, query.since, head, query.limit + 1)
    return _page(head, changed, query.limit)


async def calibration_page(connection: AsyncConnection, query: CalibrationQuery) -> CalibrationPage:
    """Give the tables of a tenant."""
    return CalibrationPage(tables=await calibrations.tables(connection, query.tenant))


async def routing_page(connection: AsyncConnection, query: RoutingQuery) -> RoutingPage:
    """Give a page of what the fleet has seen models do."""
    return await routing.page(connection, query.tenant, query.page)


async def provenance(connection: AsyncConnection, query: WhyQuery) -> Provenance:
    """Say where an insight came from; raises `NotFoundError` when there never was one."""
    history = await insights.history(connection, query.tenant, query.insight_id, query.limit)
    if not history:
        raise NotFoundError(f"there is no insight {query.insight_id}; `flocklore insights list` shows those there are")
    evidence = await observations.evidence(connection, query.tenant, query.insight_id, query.limit)
    return Provenance(insight_id=query.insight_id, observations=evidence, history=history)


async def global_statistics(connection: AsyncConnection, query: StatisticsQuery) -> GlobalStatistics:
    """Count everything now."""
    return await statistics.measure(connection, query.tenant)


async def instances_page(connection: AsyncConnection, query: InstancesQuery) -> InstancesPage:
    """List the registry."""
    return InstancesPage(instances=await registry.list_instances(connection, query.tenant))


def _page(head: int, changed: list[Insight], limit: int) -> InsightsPage:
    """Of what was found when one more than `limit` was asked for."""
    page = _fitting(changed[:limit])
    return InsightsPage(head=head, insights=tuple(page), complete=len(page) == len(changed))


def _fitting(changed: list[Insight]) -> list[Insight]:
    """Take from the front what fits into a page, and one at least."""
    size = 0
    for count, insight in enumerate(changed):
        size += len(encode(insight))
        if size > PAGE_BYTES_MAX and count > 0:
            return changed[:count]
    return changed
