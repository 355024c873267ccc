"""A region concludes the same from what it observed and was told, in whatever order it happened and was merged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import Scope, aggregate, rebuild
from centralcloud.learning.fleet import observed_fleet
from centralcloud.learning.merge import merge_all
from centralcloud.learning.observation import Observation
from centralcloud.store import changes, insights
from schemas.codec import encode
from schemas.insights import Insight
from schemas.region import InsightsTold
from shared.database import transaction
from tests.support.databases import central_engine
from tests.support.observed import observation, observe
from tests.support.told import Above, reached, tell, tell_all

PATTERNS = ["p1", "p2", "p3", "p4"]
reports = st.builds(
    lambda pattern, instance, forgotten: observation(
        pattern, instance, f"repository of {instance}", forgotten=forgotten
    ),
    st.sampled_from(PATTERNS),
    st.sampled_from(["ann", "bob", "cyd"]),
    st.sampled_from([False, False, True]),
)
step = st.one_of(
    st.tuples(st.just("observe"), st.lists(reports, min_size=1, max_size=4)),
    st.tuples(st.just("change"), st.sampled_from(PATTERNS), st.sampled_from(["active", "active", "revoked"])),
    st.tuples(st.just("restart"), st.lists(st.sampled_from(PATTERNS), max_size=2)),
    st.tuples(st.just("tell"), st.integers(1, 3)),
    st.tuples(st.just("repeat"), st.integers(0, 5)),
    st.tuples(st.just("aggregate"), st.sampled_from(["all", "new"])),
)


class Region:
    """A tenant of its own, what it said and was told, in whatever order."""

    def __init__(self, engine: AsyncEngine, tenant: str) -> None:
        self.engine = engine
        self.tenant = tenant
        self.above = Above()
        self.said: list[Observation] = []
        self.pages: list[InsightsTold] = []

    async def observe(self, reported: list[Observation]) -> None:
        numbered = [structs.replace(one, version=len(self.said) + place) for place, one in enumerate(reported, 1)]
        self.said += numbered
        for one in numbered:
            await observe(self.engine, one, tenant=self.tenant)

    async def change(self, pattern: str, state: str) -> None:
        self.above.change(pattern, state=state, instances=3 + self.above.head)

    async def restart(self, forgotten: list[str]) -> None:
        self.above.restart(forgotten)
        self.pages.clear()  # one connection: what was sent before arrives before

    async def tell(self, limit: int) -> None:
        page = self.above.page(await reached(self.engine, tenant=self.tenant), limit)
        self.pages.append(page)
        await tell(self.engine, page, tenant=self.tenant)

    async def repeat(self, place: int) -> None:
        for page in self.pages[place : place + 1]:
            await tell(self.engine, page, tenant=self.tenant)

    async def aggregate(self, scope: Scope) -> None:
        await aggregate(self.engine, self.tenant, scope, batch=2)

    def wanted(self) -> bytes:
        """The region's own insights, and beside them what is known above alone; versions are of the way."""
        own = merge_all(self.said, observed_fleet(self.said))
        beside = {
            name: structs.replace(one, above=True, version=0)
            for name, one in self.above.known.items()
            if one.state == "active" and name not in own
        }
        return encode(own | beside)


@given(st.lists(st.lists(step, min_size=1, max_size=14), min_size=12, max_size=12))
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_what_is_told_and_merged_does_not_matter(
    make_database: Callable[[], str], histories: list[list[tuple[str, object]]]
) -> None:
    asyncio.run(_whatever_the_order(make_database(), histories))


async def stored(engine: AsyncEngine, tenant: str) -> dict[str, Insight]:
    async with transaction(engine) as connection:
        found = await insights.changed_since(connection, tenant, 0, await insights.head(connection, tenant), 10_000)
    return {one.id: one for one in found}


async def _whatever_the_order(url: str, histories: list[list[tuple[str, object]]]) -> None:
    async with central_engine(url) as engine:
        for number, history in enumerate(histories):
            region = Region(engine, f"tenant-{number}")
            for what, *values in history:
                await getattr(region, what)(*values)
            await tell_all(engine, region.above, tenant=region.tenant)
            await region.aggregate("new")
            await region.aggregate("all")
            found = await stored(engine, region.tenant)
            active = {name: structs.replace(one, version=0) for name, one in found.items() if one.state == "active"}
            assert encode(active) == region.wanted()
            assert (await rebuild(engine, region.tenant)).changed == 0
            async with transaction(engine) as connection:
                assert await changes.waiting(connection, region.tenant) == 0
