"""Two hubs take in from one durable consumer: nothing lost, nothing double, nothing delivered without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest
from msgspec import Raw
from nats.errors import Error as NatsError
from nats.js.api import ConsumerInfo
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest import consumer, stream
from centralcloud.ingest.arrivals import Arrival
from centralcloud.ingest.commit import commit
from centralcloud.store.sessions import limit_idle_transactions
from schemas import subjects
from schemas.codec import encode, event_hash
from schemas.events import SnapshotCompleted
from shared.database import connect_engine, transaction
from shared.embedded.nats import EmbeddedNats
from shared.errors import UnreachableError
from tests.support.databases import central_engine
from tests.support.fleet import Hub, hub
from tests.support.patterns import scalar
from tests.support.wait import eventually
from tests.support.wire import EPOCH, ONE, envelope, event, plain_client, send

LATER = "0" * 31 + "2"
ENVELOPES, EVENTS = 40, 5
WAITING = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def arrival(epoch: str, first_seq: int, *events: bytes) -> Arrival:
    return Arrival(ONE, epoch, first_seq, tuple(map(Raw, events)), tuple(event_hash(Raw(one)) for one in events))


def snapshot_end() -> bytes:
    return encode(SnapshotCompleted(id="f" * 32, time=datetime(2026, 1, 1, tzinfo=UTC), observations=1))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        yield engine


async def test_envelopes_out_of_order_between_two_hubs(
    own_nats: Callable[[], EmbeddedNats], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "FETCH_MAX", 2)
    url = own_nats().url
    async with hub(url, database_url) as one, hub(url, database_url) as other, plain_client(url) as client:
        await eventually(lambda: _ready(one, other))
        for number in reversed(range(ENVELOPES)):
            first = number * EVENTS
            await send(client, envelope(first + 1, [event(seq) for seq in range(first, first + EVENTS)]))
        await one.reaches("SELECT wm FROM watermarks", ENVELOPES * EVENTS)
        counted = [each.counted("events_received") for each in (one, other)]
        assert sum(counted) == ENVELOPES * EVENTS
        assert all(counted), "both took their share"
        assert await scalar(one.engine, "SELECT count(*) FROM observations") == ENVELOPES * EVENTS
        assert await scalar(one.engine, "SELECT sum(files) FROM observations") == 3 * ENVELOPES * EVENTS

        async def left() -> ConsumerInfo:
            found: ConsumerInfo = await client.jetstream().consumer_info(subjects.STREAM, stream.CONSUMER)
            return found

        async def settled() -> bool:
            info = await left()
            return not info.num_pending and not info.num_ack_pending

        await eventually(settled)
        assert (await left()).num_redelivered == 0


async def test_what_one_hub_cannot_commit_comes_to_another_at_once(
    own_nats: Callable[[], EmbeddedNats], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = own_nats().url
    async with hub(url, database_url) as broken, plain_client(url) as client:
        await eventually(lambda: _ready(broken))

        async def refuse(*_: object, **__: object) -> None:
            raise UnreachableError("deadlock detected")

        monkeypatch.setattr(broken.ingest.committer, "_transact", refuse)
        await send(client, envelope(1, [event(1)]))
        async with hub(url, database_url) as other:
            await other.reaches("SELECT wm FROM watermarks", 1)


async def test_an_epoch_that_becomes_void_meanwhile_changes_nothing(engine: AsyncEngine) -> None:
    """One hub commits the end of a snapshot while another has something of the epoch before in hand."""
    async with transaction(engine) as connection:
        await commit(connection, [arrival(EPOCH, 1, event(1))], [])
    async with transaction(engine) as ending:
        await commit(ending, [arrival(LATER, 1, event(1), snapshot_end())], [])
        late = asyncio.create_task(_commit(engine, arrival(EPOCH, 2, event(2))))
        await eventually(lambda: scalar(engine, WAITING))
    await asyncio.wait_for(late, 5)
    assert await scalar(engine, "SELECT count(*) FROM observations") == 1
    assert await scalar(engine, "SELECT wm FROM watermarks ORDER BY epoch LIMIT 1") == 2


async def test_a_frozen_hub_does_not_hold_up_the_others(engine: AsyncEngine, database_url: str) -> None:
    frozen = connect_engine(database_url, application="frozen")
    limit_idle_transactions(frozen, seconds=1)
    try:
        async with frozen.connect() as connection:
            await commit(connection, [arrival(EPOCH, 1, event(1))], [])
            await asyncio.wait_for(_commit(engine, arrival(EPOCH, 1, event(1), event(2))), 8)
            await connection.invalidate()
    finally:
        await frozen.dispose()
    assert await scalar(engine, "SELECT wm FROM watermarks") == 2
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT sum(files) FROM observations"))).scalar() == 6


async def _commit(engine: AsyncEngine, late: Arrival) -> None:
    async with transaction(engine) as connection:
        await commit(connection, [late], [])


async def _ready(*hubs: Hub) -> bool:
    """Whether each waits for messages."""
    for one in hubs:
        if not one.bus.connected.is_set():
            return False
    try:
        info = await hubs[0].bus.jetstream().consumer_info(subjects.STREAM, stream.CONSUMER)
    except NatsError:
        return False
    return (info.num_waiting or 0) >= len(hubs)
