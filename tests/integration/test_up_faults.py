"""What goes wrong on the way up: repeated, reordered, unreadable and refused messages, and a broken broker."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest import consumer, stream
from centralcloud.ingest.buffer import Held
from instance.store import outbox
from schemas import subjects
from schemas.codec import decode
from schemas.sync import Receipt
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from tests.support.fleet import Hub, hub, spoke
from tests.support.patterns import TOPIC, learn, scalar
from tests.support.wait import eventually
from tests.support.wire import EPOCH, ONE, envelope, event, plain_client, send

OwnNats = Callable[[], EmbeddedNats]
MakeDatabase = Callable[[], str]

OBSERVED = "SELECT count(*) FROM observations"
WM = "SELECT wm FROM watermarks"


@pytest.fixture
async def central(own_nats: OwnNats, make_database: MakeDatabase) -> AsyncIterator[Hub]:
    async with hub(own_nats().url, make_database()) as running:
        await running.receives()
        yield running


@pytest.fixture
async def client(central: Hub) -> AsyncIterator[Client]:
    async with plain_client(central.nats_url) as connected:
        yield connected


async def test_the_same_message_delivered_five_times_changes_nothing(central: Hub, client: Client) -> None:
    await send(client, envelope(1, [event(number) for number in range(10)]))
    await central.reaches(WM, 10)
    for _ in range(5):
        await central.ingest.committer.take(await _delivered_again(client))
    assert await scalar(central.engine, OBSERVED) == 10
    assert await scalar(central.engine, "SELECT sum(files) FROM observations") == 30
    assert await scalar(central.engine, "SELECT count(*) FROM received_envelopes") == 1
    assert (central.counted("events_received"), central.counted("events_repeated")) == (10, 50)


async def test_the_same_message_under_another_id_changes_nothing(central: Hub, client: Client) -> None:
    for attempt in range(3):
        assert not await send(client, envelope(1, [event(1), event(2)]), message_id=f"one.{EPOCH}.1-2.{attempt}")
    await eventually(lambda: central.counted("events_repeated") == 4)
    assert await scalar(central.engine, OBSERVED) == 2
    assert await scalar(central.engine, WM) == 2


async def test_a_replay_under_an_old_id_is_swallowed_and_another_attempt_passes(central: Hub, client: Client) -> None:
    body = envelope(1, [event(1)])
    assert not await send(client, body, message_id="first")
    assert await send(client, body, message_id="first")
    await client.jetstream().purge_stream(subjects.STREAM)
    assert await send(client, body, message_id="first")
    assert not await send(client, body, message_id="second")


async def test_a_gap_is_named_in_the_receipt_until_it_is_filled(central: Hub, client: Client) -> None:
    receipts = await client.subscribe(subjects.receipt(ONE))
    await send(client, envelope(3, [event(3), event(4)]))
    assert await _receipt(receipts.next_msg(5)) == (0, ((1, 2),))
    await send(client, envelope(7, [event(7)]))
    assert await _receipt(receipts.next_msg(5)) == (0, ((1, 2), (5, 6)))
    await send(client, envelope(1, [event(number) for number in range(1, 7)]))  # overlaps what is there
    assert await _receipt(receipts.next_msg(5)) == (7, ())
    assert await scalar(central.engine, OBSERVED) == 7
    assert central.counted("events_repeated") == 2


async def test_an_unreadable_event_is_set_aside_and_counts_as_received(central: Hub, client: Client) -> None:
    await send(client, envelope(1, [event(1), b'{"type":"of.tomorrow.v1"}', event(3)]))
    await central.reaches(WM, 3)
    assert await scalar(central.engine, OBSERVED) == 2
    assert await scalar(central.engine, "SELECT seq FROM dead_letters") == 2


async def test_an_unreadable_envelope_is_set_aside_once(central: Hub, client: Client) -> None:
    for _ in range(2):
        await send(client, b'{"type":"nonsense"}')
    await send(client, envelope(1, [event(1)]))
    await central.reaches(WM, 1)
    await eventually(lambda: central.counted("dead_letters") >= 2)
    assert await scalar(central.engine, "SELECT count(*) FROM dead_letters") == 1


async def test_what_no_table_can_hold_stops_nobody(central: Hub, client: Client) -> None:
    await client.jetstream().publish("intelligence.a\x00b.c.learned.default.one", b"{}")
    await send(client, b'{"type":"\\u0000"}')
    await send(client, envelope(1, [event(1)]))
    await central.reaches(WM, 1)


async def test_an_event_the_database_refuses_is_set_aside_alone(central: Hub, client: Client) -> None:
    async with transaction(central.engine) as connection:
        await connection.execute(text("ALTER TABLE observations ADD CHECK (files <> 666)"))
    await send(client, envelope(1, [event(1), event(2, files=666), event(3)]))
    await send(client, envelope(4, [event(4)]))
    await central.reaches(WM, 4)
    assert await scalar(central.engine, OBSERVED) == 3
    assert await scalar(central.engine, "SELECT string_agg(seq::text, ',') FROM dead_letters") == "2"
    assert central.counted("events_received") == 4


async def test_a_deleted_stream_is_made_again_while_the_hub_runs(
    central: Hub, client: Client, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "RECONCILE_SECONDS", 1.0)
    monkeypatch.setattr(consumer, "FETCH_SECONDS", 1.0)
    async with spoke(central.nats_url, make_database(), "one") as one:
        await learn(one.engine, range(5))
        await one.confirms_all()
        await client.jetstream().delete_stream(subjects.STREAM)
        await learn(one.engine, range(5, 10))
        one.uplink.wake()
        await one.confirms_all()
        assert await scalar(central.engine, OBSERVED) == 10


async def test_a_consumer_ahead_of_its_stream_is_reset(own_nats: OwnNats, make_database: MakeDatabase) -> None:
    server = own_nats()
    async with plain_client(server.url) as client:
        await client.jetstream().add_stream(stream.stream_config(replicas=1))
        ahead = replace(stream.consumer_config(), deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=1000)
        await client.jetstream().add_consumer(subjects.STREAM, ahead)
        await send(client, envelope(1, [event(1)]))
        async with hub(server.url, make_database()) as central:
            await central.reaches(WM, 1)


async def test_a_broker_rolled_back_costs_nothing(own_nats: OwnNats, make_database: MakeDatabase) -> None:
    server = own_nats()
    store, older = server.directory / "jetstream", server.directory / "older"
    async with hub(server.url, make_database()) as central, spoke(server.url, make_database(), "one") as one:
        await learn(one.engine, range(5))
        await one.confirms_all()
        server.stop()
        shutil.copytree(store, older)
        server.start()
        for number in range(5, 10):
            await learn(one.engine, [number])
            one.uplink.wake()
            await one.confirms_all()
        kill(server)
        shutil.rmtree(store)
        shutil.copytree(older, store)
        server.start()
        await learn(one.engine, range(10, 15))
        await one.confirms_all()
        assert await scalar(central.engine, OBSERVED) == 15


async def test_a_wiped_broker_costs_nothing(own_nats: OwnNats, make_database: MakeDatabase) -> None:
    server, central_url = own_nats(), make_database()
    async with spoke(server.url, make_database(), "one") as one:
        async with hub(server.url, central_url):
            await learn(one.engine, range(5))
            await one.confirms_all()
        await learn(one.engine, range(5, 300))
        one.uplink.wake()
        await eventually(lambda: _sent(one.engine, 300), what="all published while centralcloud is down")
        kill(server)
        shutil.rmtree(server.directory / "jetstream")
        server.start()
        async with hub(server.url, central_url) as central:
            await one.confirms_all()
            assert await scalar(central.engine, OBSERVED) == 300


async def test_subscribers_hear_the_plain_subjects_with_the_sender_in_a_header(
    central: Hub, client: Client, make_database: MakeDatabase
) -> None:
    exact = await client.subscribe("intelligence.code.pattern.learned")
    every = await client.subscribe("intelligence.*.*.learned")
    async with spoke(central.nats_url, make_database(), "one") as one:
        await learn(one.engine, range(3))
        one.uplink.wake()
        for heard in (await exact.next_msg(5), await every.next_msg(5)):
            assert heard.subject == subjects.learned_public(TOPIC)
            assert heard.headers is not None
            assert heard.headers["Nats-Subject"] == "intelligence.code.pattern.learned.default.one"


async def test_an_event_tried_a_thousand_times_is_tried_again(make_database: MakeDatabase, own_nats: OwnNats) -> None:
    async with spoke(own_nats().url, make_database(), "one") as one:
        await learn(one.engine, range(2))
        async with transaction(one.engine) as connection:
            assert len(await outbox.number(connection, 10)) == 2
            await connection.execute(text("UPDATE outbox SET attempt = 5000, sent_at = '2020-01-01'"))
            assert len(await outbox.take_due(connection, 10)) == 2
            await connection.execute(text("UPDATE outbox SET sent_at = now() - interval '599 seconds'"))
            assert await outbox.take_due(connection, 10) == []


def kill(server: EmbeddedNats) -> None:
    assert server.child is not None
    server.child.kill()


async def _delivered_again(client: Client) -> list[Held]:
    """Everything in the stream, by a consumer of the test's own."""
    jetstream = client.jetstream()
    config = ConsumerConfig(ack_policy=AckPolicy.NONE)
    subscription = await jetstream.pull_subscribe("", stream=subjects.STREAM, config=config)
    return [Held.of(message) for message in await subscription.fetch(10, timeout=2)]


async def _receipt(message: Awaitable[Msg]) -> tuple[int, tuple[tuple[int, int], ...]]:
    receipt = decode((await message).data, Receipt)
    return receipt.wm, receipt.gaps


async def _sent(engine: AsyncEngine, count: int) -> bool:
    return await scalar(engine, "SELECT count(*) FROM outbox WHERE sent_at IS NOT NULL") == count
