"""More is pushed than is taken in: publishers slow down, nothing is lost, and nobody waits behind a flood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
from nats.aio.client import Client
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest import consumer, stream
from centralcloud.ingest.buffer import FairBuffer
from centralcloud.ingest.consumer import Ingest
from centralcloud.ingest.flow import Pressure
from centralcloud.ingest.presence import Presence
from centralcloud.queries.service import Queries
from instance.sync import flow as pace
from schemas import subjects
from schemas.codec import decode, encode
from schemas.envelope import EVENTS_MAX
from schemas.flow import FlowHint
from schemas.insights import InstancesPage, InstancesQuery
from schemas.replies import Response
from schemas.subjects import Sender
from shared.bus import Bus
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.metrics import Metrics
from tests.support.databases import central_engine
from tests.support.fleet import hub, spoke
from tests.support.lifecycle import started
from tests.support.patterns import learn, scalar
from tests.support.wait import eventually
from tests.support.wire import envelope, event, plain_client, send

OwnNats = Callable[[], EmbeddedNats]
MakeDatabase = Callable[[], str]

FLOOD = Sender("default", "flood")
QUIET = Sender("default", "quiet")


@asynccontextmanager
async def slow_hub(nats_url: str, database_url: str) -> AsyncIterator[tuple[Ingest, Pressure, AsyncEngine]]:
    """A hub that sees what waits and answers, and takes nothing in until its ingest is started."""
    async with central_engine(database_url) as engine:
        metrics = Metrics()
        bus = Bus([nats_url], client_name="hub", inbox_prefix="_INBOX.centralcloud.test", metrics=metrics)
        Queries(engine, bus)
        presence = Presence(engine, bus)
        ingest = Ingest(engine, bus, metrics, replicas=1, on_commit=lambda: None)
        pressure = Pressure(bus, ingest)
        async with started(bus):
            await asyncio.wait_for(bus.connected.wait(), 10)
            await stream.reconcile(bus.jetstream(), replicas=1)
            async with started(presence, pressure):
                yield ingest, pressure, engine
                await ingest.stop()


async def flooded(client: Client, places: Iterable[int]) -> None:
    """Send full envelopes of one instance, all at once."""
    bodies = [
        envelope(1 + at * EVENTS_MAX, [event(at * EVENTS_MAX + index) for index in range(EVENTS_MAX)]) for at in places
    ]
    await asyncio.gather(*(send(client, body, sender=FLOOD) for body in bodies))


async def ask(client: Client) -> None:
    """Ask who is there; there must be an answer."""
    reply = await client.request(subjects.INSTANCES_QUERY, encode(InstancesQuery()), timeout=5)
    assert decode(reply.data, Response[InstancesPage]).success


async def test_publishers_slow_down_while_too_much_waits_and_nothing_is_lost(
    own_nats: OwnNats, make_database: MakeDatabase
) -> None:
    server = own_nats()
    async with (
        slow_hub(server.url, make_database()) as (ingest, pressure, central),
        plain_client(server.url) as client,
        spoke(server.url, make_database(), "one") as one,
    ):
        await learn(one.engine, range(10))
        one.uplink.wake()
        async with started(ingest):
            await one.confirms_all()
            await flooded(client, range(1))
            await eventually(lambda: _is(central, "SELECT count(*) FROM observations", 110), what="taken in")
        hints = await client.subscribe(subjects.FLOW)
        await flooded(client, range(1, 100))
        heard = decode((await hints.next_msg(10)).data, FlowHint)
        assert (heard.state, heard.pending > 5000) == ("slow", True)
        await eventually(lambda: one.uplink.pace.slow, what="slow")
        await learn(one.engine, range(10, 2010))
        one.uplink.wake()
        assert decode((await hints.next_msg(10)).data, FlowHint).state == "slow"  # it is repeated
        assert await scalar(one.engine, "SELECT count(*) > 1000 FROM outbox WHERE sent_at IS NULL")
        await ask(client)
        await ingest.start()
        await eventually(lambda: not pressure.slow, 20, what="free again")
        await one.confirms_all(30)
        await eventually(lambda: _is(central, _FILES_BY_INSTANCE, "flood 30000, one 6030"), 20, what="all, once")


async def test_an_instance_that_hears_nothing_more_sends_as_before(
    own_nats: OwnNats, make_database: MakeDatabase
) -> None:
    server = own_nats()
    async with (
        hub(server.url, make_database()),
        plain_client(server.url) as client,
        spoke(server.url, make_database(), "one") as one,
    ):
        await learn(one.engine, [0])
        await one.confirms_all()
        await client.publish(subjects.FLOW, b'{"type":"intelligence.flow.v1","state":"of tomorrow"}')
        await client.publish(subjects.FLOW, _stop(expires_seconds=1.0))
        await eventually(lambda: one.uplink.pace.slow, what="slow")
        await learn(one.engine, range(1, 500))
        one.uplink.wake()
        await one.confirms_all(10 + pace.RETURN_SECONDS)


async def test_a_single_event_does_not_wait_behind_the_flood_of_another(
    own_nats: OwnNats, make_database: MakeDatabase
) -> None:
    server = own_nats()
    async with hub(server.url, make_database()) as central, plain_client(server.url) as client:
        await central.receives()
        async with transaction(central.engine) as connection:
            await connection.execute(text(_SLOWLY))
        await flooded(client, range(60))
        before = int(str(await scalar(central.engine, "SELECT count(DISTINCT xmin::text) FROM received_envelopes")))
        await send(client, envelope(1, [event(1)]), sender=QUIET)
        await central.reaches("SELECT count(*) FROM observations WHERE instance = 'quiet'", 1)
        after = await scalar(central.engine, _TRANSACTIONS_UNTIL_QUIET)
        taken = await scalar(central.engine, "SELECT count(*) FROM observations WHERE instance = 'flood'")
        assert int(str(after)) - before <= 3
        assert int(str(taken)) < 6000, "the flood was over before the single event came"
        await central.reaches("SELECT count(*) FROM observations", 6001, 30)


_FILES_BY_INSTANCE = """
    SELECT string_agg(instance || ' ' || files, ', ' ORDER BY instance)
      FROM (SELECT instance, sum(files) AS files FROM observations GROUP BY instance) AS held
"""
_SLOWLY = """
    CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
    CREATE TRIGGER slowly AFTER UPDATE ON watermarks FOR EACH STATEMENT EXECUTE FUNCTION slowly();
"""
_TRANSACTIONS_UNTIL_QUIET = """
    SELECT count(DISTINCT xmin::text) FROM received_envelopes
     WHERE received_at <= (SELECT min(received_at) FROM received_envelopes WHERE instance = 'quiet')
"""


async def test_hubs_that_share_a_flood_count_it_once(own_nats: OwnNats, make_database: MakeDatabase) -> None:
    server, database_url = own_nats(), make_database()
    async with (
        hub(server.url, database_url) as one,
        hub(server.url, database_url) as other,
        plain_client(server.url) as client,
    ):
        await one.receives()
        await eventually(lambda: _both_wait(client), what="both ask for more")
        await flooded(client, range(60))
        await one.reaches("SELECT wm FROM watermarks", 6000, 30)
        assert await scalar(one.engine, "SELECT sum(files) FROM observations") == 18_000
        await eventually(lambda: one.counted("events_received") + other.counted("events_received") == 6000)
        assert min(one.counted("events_received"), other.counted("events_received")) > 0


async def test_what_does_not_fit_into_the_buffer_comes_again(
    own_nats: OwnNats, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_nats()
    async with hub(server.url, make_database()) as central, plain_client(server.url) as client:
        await central.receives()
        monkeypatch.setattr(consumer, "GIVEN_BACK_SECONDS", 0.2)
        central.ingest.buffer = FairBuffer(200_000)
        await flooded(client, range(40))
        await central.reaches("SELECT wm FROM watermarks WHERE instance = 'flood'", 4000, 30)
        assert await scalar(central.engine, "SELECT count(*) FROM observations") == 4000
        assert central.counted("events_repeated") == 0


def _stop(expires_seconds: float) -> bytes:
    return (
        b'{"type":"intelligence.flow.v1","timestamp":"2026-01-01T00:00:00Z","state":"slow","pending":1,'
        b'"events_per_second":0.01,"expires_seconds":' + str(expires_seconds).encode() + b"}"
    )


async def _is(engine: AsyncEngine, statement: str, wanted: object) -> bool:
    return await scalar(engine, statement) == wanted


async def _both_wait(client: Client) -> bool:
    info = await client.jetstream().consumer_info(subjects.STREAM, stream.CONSUMER)
    return bool(info.num_waiting == 2)
