"""The fleet in numbers, as last counted."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.store import samples
from centralcloud.store import statistics as store
from centralcloud.web.shapes.system import StatisticsAsked
from schemas.insights import GlobalStatistics


async def statistics(connection: AsyncConnection, query: StatisticsAsked) -> GlobalStatistics:
    """Give what the leading hub counted last; count now when it never has."""
    counted = await samples.last_count(connection, query.tenant)
    return counted or await store.measure(connection, query.tenant)
