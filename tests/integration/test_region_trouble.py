"""What goes wrong between a region and the hub above: nothing is lost, and nothing counts twice."""

from __future__ import annotations

from collections.abc import Callable

from centralcloud.store import instance_keys
from schemas.subjects import Sender
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from tests.support.databases import copy_database
from tests.support.known import learned
from tests.support.observed import digest
from tests.support.regions import (
    PATTERNS,
    World,
    brought_up,
    forgotten,
    grace_over,
    knowing,
    looked,
    tell,
    told_down,
)

ACTIVE = "SELECT string_agg(id, ' ' ORDER BY id) FROM insights WHERE state = 'active'"
AGREED = "SELECT count(*) = 6 AND bool_and(fingerprint <> :gone) FROM observations WHERE NOT forgotten"
SAID = "SELECT count(*) FROM observations WHERE NOT forgotten"
KNOWN = " ".join(sorted(map(digest, PATTERNS)))
ABOVE = "SELECT count(*) FROM insights WHERE state = 'active' AND (body->>'above')::boolean"


async def test_what_a_region_forgets_is_no_insight_above(world: World) -> None:
    eu, us = await knowing(world, "eu"), await knowing(world, "us")
    delegates = [await world.delegate(one) for one in (eu, us)]
    for region, delegate in zip((eu, us), delegates, strict=True):
        await brought_up(delegate, region)
    await world.hub.conclude()
    assert await world.hub.value(ACTIVE) == KNOWN

    await eu.says("ann", 5, forgotten("loop", "ann of eu"))
    await brought_up(delegates[0], eu)
    await world.hub.conclude()
    assert digest("loop") not in await world.hub.value(ACTIVE)
    assert await world.hub.value(SAID) == 5


async def test_a_lost_hub_of_a_region_changes_nothing_above(world: World) -> None:
    eu, us = await knowing(world, "eu"), await knowing(world, "us")
    delegate, other = [await world.delegate(one) for one in (eu, us)]
    await brought_up(delegate, eu)
    await brought_up(other, us)
    head = await world.hub.conclude()

    await eu.lose_hub(world.make_database())
    await looked(delegate)
    await delegate.reaches("SELECT lost_at IS NOT NULL FROM region", wanted=True)
    assert await delegate.value(SAID) == 3
    await tell(eu)
    await brought_up(delegate, eu)
    assert await world.hub.conclude() == head
    await eu.says("ann", 9, learned("new", "ann of eu"))
    await eu.says("bob", 9, learned("new", "bob of eu"))
    await grace_over(delegate)
    await brought_up(delegate, eu)
    assert await delegate.value("SELECT lost_at FROM region") is None
    assert await delegate.value(SAID) == 4


async def test_what_a_lost_hub_does_not_learn_again_is_taken_back(world: World) -> None:
    eu = await knowing(world, "eu")
    delegate = await world.delegate(eu)
    await brought_up(delegate, eu)
    assert await world.hub.value(SAID) == 3

    await eu.lose_hub(world.make_database())
    await eu.says("ann", 1, learned("loop", "ann of eu"))
    await eu.says("bob", 1, learned("loop", "bob of eu"))
    await brought_up(delegate, eu)
    assert await world.hub.value(SAID) == 3
    await grace_over(delegate)
    await brought_up(delegate, eu)
    assert await world.hub.value(SAID) == 1


async def test_a_hub_restored_from_a_backup_is_read_from_there(world: World, make_database: Callable[[], str]) -> None:
    eu = await knowing(world, "eu")
    delegate, backup = await world.delegate(eu), make_database()
    await brought_up(delegate, eu)
    await eu.stack.aclose()
    copy_database(eu.database, backup)
    await eu.lose_hub(eu.database)
    for name in ("ann", "bob"):
        await eu.says(name, 5, learned("late", f"{name} of eu"))
    await brought_up(delegate, eu)
    said = await delegate.value("SELECT head FROM uplink")

    await eu.lose_hub(backup)
    await looked(delegate)
    for name in ("ann", "bob"):
        await eu.says(name, 5, learned("late", f"{name} of eu"))
    await brought_up(delegate, eu)
    assert await delegate.value("SELECT head FROM uplink") == said
    assert await world.hub.value(SAID) == 4


async def test_a_delegate_without_its_database_says_everything_once_more_and_nothing_twice(world: World) -> None:
    eu, us = await knowing(world, "eu"), await knowing(world, "us")
    await brought_up(await world.delegate(us), us)
    async with world.passing_delegate(eu) as first:
        await brought_up(first, eu)
        head = await world.hub.conclude()
        await told_down(first, eu, head)
    telling = await eu.hub.value("SELECT number FROM tellings")
    async with transaction(world.hub.engine) as connection:  # its key went with its database
        await instance_keys.forget(connection, Sender("default", "eu"))
    async with world.passing_delegate(eu) as second:
        await brought_up(second, eu)
        assert await world.hub.conclude() == head
        await second.knows(head)
        await looked(second)
    assert await world.hub.value(SAID) == 6
    assert await eu.hub.value("SELECT version FROM tellings WHERE number = :number", number=telling) == head


async def test_while_the_delegate_is_away_the_region_goes_on(world: World) -> None:
    eu, database = await knowing(world, "eu"), world.make_database()
    async with world.passing_delegate(eu, database) as delegate:
        await brought_up(delegate, eu)
    for name in ("ann", "bob"):
        await eu.says(name, 5, learned("meanwhile", f"{name} of eu"))
    assert digest("meanwhile") in await eu.hub.value(ACTIVE)
    async with world.passing_delegate(eu, database) as delegate:
        await brought_up(delegate, eu)
    assert await world.hub.value(SAID) == 4


async def test_what_is_withdrawn_above_is_withdrawn_in_the_region(world: World) -> None:
    eu, us, ap = await knowing(world, "eu"), await knowing(world, "us"), await world.region("ap")
    delegates = [await world.delegate(one) for one in (eu, us, ap)]
    await brought_up(delegates[0], eu)
    await brought_up(delegates[1], us)
    await told_down(delegates[2], ap, await world.hub.conclude())
    await ap.hub.conclude()
    assert await ap.hub.value(ABOVE) == 3

    await us.says("ann", 5, forgotten("loop", "ann of us"))
    await brought_up(delegates[1], us)
    await told_down(delegates[2], ap, await world.hub.conclude())
    await ap.hub.conclude()
    assert await ap.hub.value(ABOVE) == 2


async def test_the_hub_above_may_be_lost_as_well(world: World, own_nats: Callable[[], EmbeddedNats]) -> None:
    eu, us, ap = await knowing(world, "eu"), await knowing(world, "us"), await world.region("ap")
    delegates = [await world.delegate(one) for one in (eu, us, ap)]
    await brought_up(delegates[0], eu)
    await brought_up(delegates[1], us)
    await told_down(delegates[2], ap, await world.hub.conclude())

    await world.lose_hub()
    await delegates[2].reaches("SELECT restarts FROM downlink", 1)
    for region, delegate in zip((eu, us), delegates, strict=False):
        for name in ("ann", "bob"):
            await region.says(name, 5, learned("meanwhile", f"{name} of {region.name}"))
        await region.says("ann", 6, forgotten("loop", f"ann of {region.name}"))
        await brought_up(delegate, region)
    await world.hub.reaches(AGREED, wanted=True, gone=digest("loop"))
    await told_down(delegates[2], ap, await world.hub.conclude())
    await ap.hub.conclude()
    assert await ap.hub.value(ABOVE) == 3
    assert digest("loop") not in await ap.hub.value(ACTIVE)
