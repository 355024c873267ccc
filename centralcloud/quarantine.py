"""Taking everything an instance said out of the insights, and putting it back."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import AggregationResult, aggregate
from centralcloud.config import HALF_LIFE_DAYS, INSTANCES_MIN
from centralcloud.store import changes, insights, registry, trust
from shared.database import transaction
from shared.errors import NotFoundError


async def quarantine(
    engine: AsyncEngine,
    tenant: str,
    instance: str,
    reason: str,
    half_life_days: float = HALF_LIFE_DAYS,
    instances_min: int = INSTANCES_MIN,
) -> AggregationResult:
    """Conclude as if the instance had never been there; raises `NotFoundError` for an unknown one."""
    async with transaction(engine) as connection:
        if not await registry.quarantine(connection, tenant, instance, reason):
            raise _unknown(tenant, instance)
        await trust.recall(connection, tenant, instance)
        await changes.mark_instance(connection, tenant, instance)
    return await _conclude(engine, tenant, half_life_days, instances_min)


async def release(
    engine: AsyncEngine,
    tenant: str,
    instance: str,
    half_life_days: float = HALF_LIFE_DAYS,
    instances_min: int = INSTANCES_MIN,
) -> AggregationResult:
    """Trust the instance again, also one the hub itself set aside: insights are what they would be without."""
    async with transaction(engine) as connection:
        judged = await trust.release(connection, tenant, instance)
        if not await registry.release(connection, tenant, instance) and not judged:
            raise _unknown(tenant, instance)
        await changes.mark_instance(connection, tenant, instance)
    return await _conclude(engine, tenant, half_life_days, instances_min)


async def _conclude(engine: AsyncEngine, tenant: str, half_life_days: float, instances_min: int) -> AggregationResult:
    """Aggregate, and tell where the history stands then: a running hub may have merged some of it before us."""
    result = await aggregate(engine, tenant, half_life_days=half_life_days, instances_min=instances_min)
    async with transaction(engine) as connection:
        result.head = await insights.head(connection, tenant)
    return result


def _unknown(tenant: str, instance: str) -> NotFoundError:
    return NotFoundError(f"no instance {instance} in tenant {tenant}; `flocklore centralcloud instances` lists them")
