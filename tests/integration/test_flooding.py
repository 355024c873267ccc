"""An instance that says more than it may waits, and loses nothing; the others do not notice."""

from __future__ import annotations

from collections.abc import Callable

from centralcloud.ingest.buffer import FairBuffer
from centralcloud.ingest.quota import Quota
from shared.embedded.nats import EmbeddedNats
from tests.support.fleet import hub, spoke
from tests.support.flooding import Clock
from tests.support.patterns import learn, scalar
from tests.support.wait import eventually

OF_FLOOD = "SELECT count(*) FROM observations WHERE instance = 'flood'"
EVENTS = 3000


async def test_a_flood_waits_its_time_and_a_single_event_of_another_does_not(
    own_nats: Callable[[], EmbeddedNats], make_database: Callable[[], str]
) -> None:
    server, clock = own_nats(), Clock()
    async with (
        hub(server.url, make_database()) as central,
        spoke(server.url, make_database(), "flood", resend_seconds=0.5) as flood,
        spoke(server.url, make_database(), "quiet") as quiet,
    ):
        central.ingest.buffer = FairBuffer(quota=Quota(600, clock))
        await learn(flood.engine, range(EVENTS))
        flood.uplink.wake()
        await eventually(lambda: central.counted("events_deferred") > 0, what="some of it left to its sender")
        await learn(quiet.engine, [EVENTS])
        quiet.uplink.wake()
        await quiet.confirms_all(5)
        assert 600 <= int(str(await scalar(central.engine, OF_FLOOD))) <= 700

        async def is_in() -> bool:
            clock.now += 10
            return await scalar(central.engine, OF_FLOOD) == EVENTS

        await eventually(is_in, 40, what="all of the flood")
        await flood.confirms_all(20)
        assert await scalar(central.engine, "SELECT count(*) FROM dead_letters") == 0
        assert await scalar(central.engine, "SELECT sum(files) FROM observations") == 3 * (EVENTS + 1)
