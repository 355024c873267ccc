"""An instance of a tenant that is pinned elsewhere keeps to itself what it learns, says why, and loses nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Final

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from sqlalchemy.ext.asyncio import AsyncEngine

import centralcloud.daemon
from centralcloud.config import CentralcloudSettings
from centralcloud.ingest.stream import CONSUMER
from centralcloud.store import pins
from instance.sync.receipts import Receipts
from schemas import subjects
from schemas.subjects import Sender
from shared.database import connect_engine, transaction
from tests.support.daemons import Fleet, Hub, Member
from tests.support.lifecycle import started
from tests.support.observed import TENANT
from tests.support.regional import pinned
from tests.support.wait import eventually
from tests.support.wire import envelope, event, send

SOURCE: Final = """
def total(rows):
    result = 0
    for row in rows:
        result += row.value
    return result
"""
OTHER: Final = """
def first(rows):
    for row in rows:
        if row.ready:
            return row
    return None
"""


@pytest.fixture
async def hub(fleet: Fleet, make_database: Callable[[], str]) -> AsyncIterator[Hub]:
    """The hub of the region `us`."""
    database = make_database()
    settings = CentralcloudSettings(nats_url=fleet.url, database_url=database, region="us")
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(centralcloud.daemon.build(settings))
        engine = connect_engine(database, application="test")
        stack.push_async_callback(engine.dispose)
        await stack.enter_async_context(started(*services))
        yield Hub(services, engine)


async def unpinned(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await pins.drop(connection, TENANT)


async def asks_again(member: Member) -> None:
    """Have it ask now for its receipt, as it does every minute and on every connect."""
    await member.part(Receipts)._asked()  # noqa: SLF001 - a minute is long in a test


async def test_nothing_of_it_is_said_where_it_must_not_be(fleet: Fleet, hub: Hub) -> None:
    said: list[str] = []

    async def note(message: Msg) -> None:
        said.append(message.subject)

    listener = await fleet.client()
    await listener.subscribe(">", cb=note)
    await pinned(hub.engine, "eu")
    ann = await fleet.member("ann", SOURCE)
    await ann.study()
    receipts = ann.part(Receipts)
    await eventually(lambda: receipts.refusal, what="a refusal")
    assert receipts.refusal == "tenant default is pinned to eu, and this is region us: go to one of them"
    asked = said.count(subjects.sync(Sender(TENANT, "ann")))
    await asks_again(ann)
    await eventually(lambda: said.count(subjects.sync(Sender(TENANT, "ann"))) > asked, what="another question")
    kept = await ann.value("SELECT count(*) FROM outbox WHERE confirmed_at IS NULL")
    assert kept > 0
    own = {subject for subject in said if "ann" in subject.split(".") and not subject.startswith("_INBOX.")}
    assert own == {subjects.sync(Sender(TENANT, "ann"))}
    assert not [subject for subject in said if ".learned" in subject]
    assert await hub.value("SELECT count(*) FROM instance_registry") == 0

    await unpinned(hub.engine)
    await asks_again(ann)
    await ann.all_confirmed()
    assert receipts.refusal == ""
    assert await hub.value("SELECT max(wm) FROM watermarks") == await ann.value("SELECT head FROM uplink")
    assert await hub.value("SELECT count(*) FROM observations WHERE instance = 'ann'") > 0


async def test_who_runs_when_the_tenant_is_pinned_stops_and_goes_on_later(fleet: Fleet, hub: Hub) -> None:
    ann = await fleet.member("ann", SOURCE)
    await ann.shares()
    before = await hub.value("SELECT max(wm) FROM watermarks")
    await pinned(hub.engine, "eu")
    await asks_again(ann)
    await eventually(lambda: ann.part(Receipts).refusal, what="a refusal")
    fleet.workspace("ann", SOURCE, OTHER)
    await ann.study()
    await ann.reaches("SELECT count(*) > 0 FROM outbox WHERE confirmed_at IS NULL", wanted=True)
    assert await hub.value("SELECT max(wm) FROM watermarks") == before
    await pinned(hub.engine, "eu", "us")  # a fallback may hold it, too
    await asks_again(ann)
    await ann.all_confirmed()
    assert await hub.value("SELECT max(wm) FROM watermarks") == await ann.value("SELECT head FROM uplink") > before
    assert await hub.value("SELECT count(*) FROM dead_letters") == 0


async def test_what_is_sent_all_the_same_is_not_kept(fleet: Fleet, hub: Hub) -> None:
    client = await fleet.client()
    stubborn, other = Sender("acme", "bob"), Sender("other", "bob")
    await pinned(hub.engine, "eu", tenant="acme")
    await send(client, envelope(1, [event(1)]), sender=stubborn)
    await send(client, b"unreadable", sender=stubborn)
    await send(client, envelope(1, [event(1)]), sender=other)
    await hub.reaches("SELECT count(*) FROM watermarks WHERE tenant = 'other' AND wm = 1", 1)
    await eventually(lambda: _acknowledged(client, 3), what="three acknowledged")
    for table in ("watermarks", "received_envelopes", "observations", "dead_letters", "activity", "changed_patterns"):
        assert await hub.value(f"SELECT count(*) FROM {table} WHERE tenant = 'acme'") == 0, table  # noqa: S608 - names
    async with transaction(hub.engine) as connection:
        await pins.drop(connection, "acme")
    await send(client, envelope(1, [event(1)]), sender=stubborn)
    await hub.reaches("SELECT count(*) FROM observations WHERE tenant = 'acme'", 1)


async def _acknowledged(client: Client, count: int) -> bool:
    found = await client.jetstream().consumer_info(subjects.STREAM, CONSUMER)
    return found.ack_floor is not None and found.ack_floor.stream_seq >= count
