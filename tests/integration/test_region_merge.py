"""What the hub above knows stands in where a region does not know enough, and is nothing more than that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import Scope, aggregate, rebuild
from centralcloud.store import fleets, insights
from centralcloud.withdrawal import restore, revoke
from schemas.fingerprint import fingerprint
from schemas.insights import Insight
from schemas.region import InsightsTold
from shared.database import transaction
from tests.support.databases import central_engine
from tests.support.known import opinion, take_in
from tests.support.observed import TENANT, digest, observation, observe, shared_by
from tests.support.told import Above, known_above, reached, tell, tell_all


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        yield engine


async def stored(engine: AsyncEngine, tenant: str = TENANT) -> dict[str, Insight]:
    async with transaction(engine) as connection:
        found = await insights.changed_since(connection, tenant, 0, await insights.head(connection, tenant), 10_000)
    return {one.id: one for one in found}


async def concluded(engine: AsyncEngine, pattern: str, scope: Scope = "all") -> tuple[str, bool, int]:
    """State of an insight after aggregating, whether it is from above, and of how many instances it tells."""
    await aggregate(engine, TENANT, scope)
    found = (await stored(engine))[digest(pattern)]
    return found.state, found.above, found.instances


async def told(engine: AsyncEngine, *known: Insight) -> None:
    """Tell everything from the beginning, in one page."""
    version = max(one.version for one in known)
    await tell(engine, InsightsTold(since=0, version=version, head=version, insights=known, begins=True))


async def test_what_only_others_know_is_an_insight_from_above(engine: AsyncEngine) -> None:
    await told(engine, known_above("loop", 311, cluster=digest("another")))
    result = await aggregate(engine, TENANT, "new")
    found = (await stored(engine))[digest("loop")]
    assert (result.changed, found.above, found.version, found.cluster) == (1, True, 1, "")
    assert (found.instances, found.rate, found.contributors) == (5, 0.5, ("ap", "us"))
    assert (await aggregate(engine, TENANT)).changed == 0
    assert (await rebuild(engine, TENANT)).changed == 0


async def test_what_the_region_knows_itself_wins(engine: AsyncEngine) -> None:
    await told(engine, known_above("loop", 1))
    await shared_by(engine, "loop", ["ann"])
    assert await concluded(engine, "loop") == ("active", True, 5)
    await shared_by(engine, "loop", ["bob"])
    assert await concluded(engine, "loop", "new") == ("active", False, 2)
    await observe(engine, observation("loop", "bob", "repository of bob", forgotten=True, version=2))
    assert await concluded(engine, "loop", "new") == ("active", True, 5)


async def test_revoked_above_goes_unless_the_region_has_it(engine: AsyncEngine) -> None:
    await shared_by(engine, "ours", ["ann", "bob"])
    await told(engine, known_above("theirs", 1), known_above("ours", 2))
    assert await concluded(engine, "theirs") == ("active", True, 5)
    gone = [known_above(name, 2 + place, state="revoked") for place, name in enumerate(["theirs", "ours"], 1)]
    await tell(engine, InsightsTold(since=2, version=4, head=4, insights=tuple(gone)))
    assert await concluded(engine, "theirs", "new") == ("revoked", False, 0)
    assert await concluded(engine, "ours") == ("active", False, 2)


async def test_a_person_s_word_stands_above_both(engine: AsyncEngine) -> None:
    await told(engine, known_above("loop", 1))
    await aggregate(engine, TENANT)
    async with transaction(engine) as connection:
        await revoke(connection, TENANT, digest("loop"), seen=None, by="eve", reason="no")
    await tell(engine, InsightsTold(since=1, version=2, head=2, insights=(known_above("loop", 2, instances=9),)))
    assert await concluded(engine, "loop") == ("revoked", False, 0)
    await shared_by(engine, "loop", ["ann", "bob"])
    assert (await concluded(engine, "loop"))[0] == "revoked"
    await observe(engine, observation("loop", "bob", "repository of bob", forgotten=True, version=2))
    async with transaction(engine) as connection:
        await restore(connection, TENANT, digest("loop"), seen=None)
    assert await concluded(engine, "loop", "new") == ("active", True, 9)


async def test_it_is_no_evidence(engine: AsyncEngine) -> None:
    await shared_by(engine, "loop", ["ann", "bob"])
    await aggregate(engine, TENANT)
    async with transaction(engine) as connection:
        before = await fleets.measured(connection, TENANT)
    rate = (await stored(engine))[digest("loop")].rate
    await told(engine, known_above("other", 1, instances=900), known_above("loop", 2, instances=900))
    await aggregate(engine, TENANT)
    async with transaction(engine) as connection:
        assert await fleets.measured(connection, TENANT) == before
    found = (await stored(engine))[digest("loop")]
    assert (found.rate, found.instances, found.above) == (rate, 2, False)


async def test_what_people_of_the_region_say_of_it_is_counted_here(engine: AsyncEngine) -> None:
    await told(engine, known_above("loop", 1, accepted=3, rejected=1))
    await take_in(engine, "ann", 1, opinion("loop"))
    await aggregate(engine, TENANT)
    found = (await stored(engine))[digest("loop")]
    assert (found.accepted, found.rejected, found.above) == (4, 1, True)


async def test_a_page_that_leaves_something_out_is_not_heard(engine: AsyncEngine) -> None:
    above = Above()
    for number in range(5):
        above.change(f"p{number}")
    assert await tell(engine, above.page(0, 2)) == 2
    assert await tell(engine, above.page(4, 2)) == 2
    assert await tell(engine, above.page(2, 2)) == 4
    assert await tell(engine, above.page(0, 2)) == 4  # said again: nothing is undone
    await tell_all(engine, above)
    assert await reached(engine) == 5
    await aggregate(engine, TENANT)
    assert len(await stored(engine)) == 5


async def test_an_older_page_that_comes_late_changes_nothing(engine: AsyncEngine) -> None:
    above = Above()
    above.change("loop")
    first = above.page(0, 200)
    await tell(engine, first)
    above.change("loop", instances=9)
    assert await tell(engine, above.page(1, 200)) == 2
    assert await tell(engine, first) == 2
    assert await concluded(engine, "loop") == ("active", True, 9)


async def test_what_is_not_told_again_is_gone_at_the_end_and_not_before(engine: AsyncEngine) -> None:
    above = Above()
    for name in ("a", "b", "c"):
        above.change(name)
    await tell_all(engine, above)
    await aggregate(engine, TENANT)
    above.restart(forgotten=["a"])
    first = above.page(3, 1)
    assert (first.begins, await tell(engine, first)) == (True, 1)
    assert await concluded(engine, "a") == ("active", True, 5)
    await tell_all(engine, above)
    assert await concluded(engine, "a", "new") == ("revoked", False, 0)
    assert {one.state for name, one in (await stored(engine)).items() if name != digest("a")} == {"active"}


async def test_a_hub_above_that_knows_nothing_takes_everything_back(engine: AsyncEngine) -> None:
    await told(engine, known_above("loop", 7))
    await aggregate(engine, TENANT)
    assert await tell(engine, InsightsTold(since=0, version=0, head=0, begins=True)) == 0
    assert await concluded(engine, "loop", "new") == ("revoked", False, 0)


async def test_another_delegate_begins(engine: AsyncEngine) -> None:
    await told(engine, known_above("old", 7), known_above("both", 6))
    assert await reached(engine, instance="us") == 0
    page = InsightsTold(since=0, version=2, head=2, insights=(known_above("both", 2),))
    assert await tell(engine, page, instance="us") == 2
    assert await concluded(engine, "both") == ("active", True, 5)
    async with transaction(engine) as connection:
        assert (await insights.of_patterns(connection, TENANT, [digest("old")])) == {}


async def test_nobody_puts_words_into_a_pattern(engine: AsyncEngine) -> None:
    template = "for $1 in $2 : {…}"
    honest = fingerprint("python", "statement", template).hex()
    shape = "int,text key"
    table = fingerprint("any", "data.schema", shape).hex()
    await told(
        engine,
        structs.replace(known_above("x", 1), id=honest, template=template),
        known_above("forged", 2, template=template),
        known_above("convention", 3, kind="architecture.pattern", template=template),
        known_above("nul", 4, name="a\0b"),
        structs.replace(known_above("x", 5), id=table, kind="data.schema", language="", view="", template=shape),
    )
    await aggregate(engine, TENANT)
    found = await stored(engine)
    assert set(found) == {honest, table}
    assert found[honest].template == template
    assert await reached(engine) == 5


async def test_tenants_are_told_apart(engine: AsyncEngine) -> None:
    page = InsightsTold(since=0, version=1, head=1, insights=(known_above("loop", 1),))
    await tell(engine, page, tenant="blue")
    await aggregate(engine, "green")
    await aggregate(engine, "blue")
    assert await stored(engine, "green") == {}
    assert (await stored(engine, "blue"))[digest("loop")].above


async def test_two_pages_at_once_are_heard_one_after_the_other(engine: AsyncEngine) -> None:
    above = Above()
    for number in range(6):
        above.change(f"p{number}")
    pages = [above.page(since, 2) for since in (0, 2, 4)]
    versions = await asyncio.gather(*(tell(engine, page) for page in pages * 3))
    assert max(versions) <= 6
    await tell_all(engine, above)
    await aggregate(engine, TENANT)
    assert len(await stored(engine)) == 6
