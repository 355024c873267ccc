"""The way up, on real servers: nothing lost, nothing counted twice."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.embedded.nats import EmbeddedNats
from tests.support.fleet import hub, spoke
from tests.support.patterns import learn, scalar
from tests.support.wait import eventually

MakeDatabase = Callable[[], str]


async def test_what_was_learned_arrives_once_and_is_confirmed(
    own_nats: Callable[[], EmbeddedNats], make_database: MakeDatabase
) -> None:
    server = own_nats()
    async with hub(server.url, make_database()) as central, spoke(server.url, make_database(), "one") as one:
        await learn(one.engine, range(250))
        one.uplink.wake()
        await eventually(lambda: _confirmed(one.engine, 250))
        assert await scalar(central.engine, "SELECT count(*) FROM observations") == 250
        assert await scalar(central.engine, "SELECT sum(files) FROM observations") == 750
        assert await scalar(central.engine, "SELECT wm FROM watermarks") == 250


async def test_a_thousand_patterns_wait_for_a_hub_that_is_away(
    own_nats: Callable[[], EmbeddedNats], make_database: MakeDatabase
) -> None:
    server = own_nats()
    async with spoke(server.url, make_database(), "one") as one:
        await learn(one.engine, range(1000))
        async with hub(server.url, make_database()) as central:
            await one.confirms_all(30)
            distinct = "SELECT count(DISTINCT fingerprint) FROM observations"
            assert await scalar(central.engine, distinct) == 1000
            assert await scalar(central.engine, "SELECT sum(files) FROM observations") == 3000
            assert await scalar(central.engine, "SELECT sum(occurrences) FROM observations") == await scalar(
                one.engine, "SELECT sum(occurrences) FROM observations"
            )


async def _confirmed(engine: AsyncEngine, count: int) -> bool:
    return await scalar(engine, "SELECT confirmed FROM uplink") == count
