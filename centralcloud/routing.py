"""Priors for routing, out of what instances said of their results: made, kept, and announced when they changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.announce import announce_routing
from centralcloud.learning.routing import priors
from centralcloud.store import results, routing, trust
from schemas.codec import encode
from schemas.routing import PRIORS_MAX, RoutingPrior, RoutingPriors
from shared.bus import Bus
from shared.database import transaction

DAYS: Final = 90
"""Older results count less than a fifteenth of today's, and are not looked at."""

PAGE_BYTES_MAX: Final = 512 * 1024
"""Half of what NATS lets a message carry by default."""


async def publish_priors(engine: AsyncEngine, bus: Bus) -> None:
    """Make the priors of every tenant anew, and hint at those that changed."""
    async with transaction(engine) as connection:
        tenants = await routing.tenants(connection)
    for tenant in tenants:
        await publish(engine, bus, tenant, datetime.now(UTC).date())


async def publish(engine: AsyncEngine, bus: Bus, tenant: str, today: date) -> RoutingPriors:
    """Make the priors of one tenant; instances in quarantine or set aside have no say."""
    made = await _priors(engine, tenant, today)
    digest = blake2b(encode(made), digest_size=16).hexdigest()
    async with transaction(engine) as connection:
        changed = await routing.replace(connection, tenant, today, digest, list(_pages(made.priors)) or [()])
    if changed:
        await announce_routing(bus, tenant, digest, len(made.priors))
    return made


async def _priors(engine: AsyncEngine, tenant: str, today: date) -> RoutingPriors:
    """Make priors a kind of job at a time: each stands for itself, and all results at once may not fit into memory."""
    first, last = today - timedelta(days=DAYS - 1), today + timedelta(days=1)  # somebody's clock is always ahead
    async with transaction(engine) as connection:
        kinds = await results.kinds(connection, tenant, first, last)
        weights = {one.instance: one.trust for one in await trust.weights(connection, tenant)}
    made: list[RoutingPrior] = []
    for kind in kinds:
        async with transaction(engine) as connection:
            said = await results.between(connection, tenant, first, last, kind)
        made += (await asyncio.to_thread(priors, said, today, trust=weights)).priors
    told = sorted(made, key=lambda one: -one.instances)[:PRIORS_MAX]
    return RoutingPriors(day=today, priors=tuple(sorted(told, key=_place)))


def _place(prior: RoutingPrior) -> tuple[str, str, list[tuple[str, str]]]:
    return prior.job_type, prior.model, sorted(prior.context.items())


def _pages(found: Sequence[RoutingPrior]) -> Iterator[Sequence[RoutingPrior]]:
    """Cut priors into pages that fit into a message each."""
    start, size = 0, 0
    for place, prior in enumerate(found):
        length = len(encode(prior)) + 1
        if size + length > PAGE_BYTES_MAX and place > start:
            yield found[start:place]
            start, size = place, 0
        size += length
    if found:
        yield found[start:]
