"""With the credentials of one tenant, on a server that knows its clients, about another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregator import Aggregator
from centralcloud.announce import NOTHING_SAID
from centralcloud.queries.service import Queries
from centralcloud.region.service import RegionQueries
from centralcloud.schedules import report_statistics
from mesh.identities.permissions import Identity, identity
from schemas import subjects
from schemas.channels import CHANNELS
from schemas.codec import decode
from schemas.insights import PatternAggregation
from schemas.subjects import Sender
from shared.bus import Bus, settled
from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.metrics import Metrics
from shared.passport import HUB
from tests.support.asking import asker, hub_bus
from tests.support.identities import Guarded, guarded
from tests.support.lifecycle import started
from tests.support.patterns import TOPIC
from tests.support.tenants import HERE, YONDER, betrays, insight, instance, two_tenants
from tests.support.wait import eventually


@pytest.fixture
async def engine(postgres: EmbeddedPostgres, make_database: Callable[[], str]) -> AsyncIterator[AsyncEngine]:
    async with two_tenants(postgres, make_database()) as engine:
        yield engine


@pytest.fixture(params=[False, True], ids=["listed", "signed"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path, operator=request.param) as running:
        yield running


class World(NamedTuple):
    """An instance of each tenant with its own credentials, and the hub of the other."""

    mine: Client
    theirs: Client
    hub: Client


@pytest.fixture
async def world(server: Guarded, engine: AsyncEngine) -> AsyncIterator[World]:
    """Have a hub answer in every account there is."""
    members = [await asyncio.to_thread(server.add, instance(one), one, "delegate") for one in (HERE, YONDER)]
    is_signed = server.office.registry.operator is not None
    hubs = [identity(HUB, tenant, "centralcloud") for tenant in (HERE, YONDER)] if is_signed else [server.hub]
    async with AsyncExitStack() as stack:
        for hub in hubs:
            await stack.enter_async_context(answering(server, engine, hub))
        clients = [await stack.enter_async_context(server.client(one)) for one in (*members, hubs[-1])]
        yield World(*clients)


@asynccontextmanager
async def answering(server: Guarded, engine: AsyncEngine, hub: Identity) -> AsyncIterator[None]:
    bus = Bus(
        [server.url],
        client_name="hub",
        inbox_prefix="_INBOX.centralcloud.test",
        metrics=Metrics(),
        passport=server.passport(hub),
    )
    Queries(engine, bus)
    RegionQueries(engine, bus, region="", instances_min=2)
    async with started(bus):
        await asyncio.wait_for(bus.connected.wait(), 10)
        yield


QUESTIONS: Final = [one.address for one in CHANNELS if one.reply is not None and "{" not in one.address]
"""Every subject where centralcloud is asked about a tenant that the question names; others name it themselves."""

ABOUT_YONDER: Final = msgspec.json.encode(
    {"tenant": YONDER, "instance": instance(YONDER), "insight_id": insight(YONDER), "limit": 100}
)


async def test_every_question_about_another_is_refused(world: World) -> None:
    for question in QUESTIONS:
        theirs = msgspec.json.decode((await world.theirs.request(question, ABOUT_YONDER, timeout=5)).data)
        assert theirs["success"], (question, theirs)
        mine = await world.mine.request(question, ABOUT_YONDER, timeout=5)
        refused = msgspec.json.decode(mine.data)
        assert (refused["data"], refused["error"]["code"]) == (None, "UNAUTHORIZED"), question
        assert not betrays(mine.data, YONDER, YONDER)


async def test_no_answer_is_sent_where_it_could_be_overheard(world: World) -> None:
    own = f"_INBOX.{HERE}.{instance(HERE)}"
    inboxes = [
        f"_INBOX.{YONDER}.{instance(YONDER)}.x",
        f"_INBOX.{YONDER}.{instance(HERE)}.x",
        subjects.INSIGHTS_AGGREGATED,
        subjects.FLOW,
        subjects.receipt(Sender(HERE, instance(HERE))),
        own,
        f"{own}.x",
    ]
    heard: list[str] = []
    for inbox in (*inboxes, f"_INBOX.{YONDER}.>", "_INBOX.>", ">"):
        await world.mine.subscribe(inbox, cb=noting(heard))
    await settled(world.mine)
    for question in QUESTIONS:
        for inbox in inboxes:
            await world.mine.publish(question, ABOUT_YONDER, reply=inbox)
    await eventually(lambda: len(heard) >= len(QUESTIONS), what="refusals in the inbox that is ours")
    await settled(world.mine)
    assert [said for said in heard if betrays(said, YONDER, YONDER)] == []
    assert {msgspec.json.decode(said)["error"]["code"] for said in heard} == {"UNAUTHORIZED"}


async def test_nothing_is_said_or_heard_as_another(world: World) -> None:
    """Subjects with a tenant in them; those without are one for all where tenants are no accounts."""
    yonder = Sender(YONDER, instance(YONDER))
    theirs = [
        subjects.learned(TOPIC, yonder),
        subjects.heartbeat(yonder),
        subjects.goodbye(yonder),
        subjects.sync(yonder),
        subjects.receipt(yonder),
        subjects.route(yonder),
    ]
    overheard: list[str] = []
    arrived: list[str] = []
    for subject in theirs:
        await world.mine.subscribe(subject, cb=noting(overheard))
        await world.hub.subscribe(subject, cb=noting(arrived))
        await world.theirs.subscribe(subject, cb=noting(arrived))
    await all_settled(world)
    for subject in theirs:
        await world.mine.publish(subject, b"forged")
    await all_settled(world)
    for subject in theirs:
        await world.theirs.publish(subject, b"true")
        await world.hub.publish(subject, b"true")
    await eventually(lambda: len(arrived) >= len(theirs), what="what is said by those who may")
    await all_settled(world)
    assert set(arrived) == {"true"}
    assert overheard == []


async def test_what_all_hear_says_of_a_tenant_that_something_changed_and_no_more(
    engine: AsyncEngine, nats_server: EmbeddedNats
) -> None:
    heard: list[str] = []
    async with asker(nats_server.url, HERE, instance(HERE)) as client, hub_bus(nats_server.url) as bus:
        for subject in (subjects.INSIGHTS, subjects.STATISTICS_GLOBAL):
            await client.subscribe(subject, cb=noting(heard))
        await settled(client)
        await report_statistics(engine, bus)
        await Aggregator(engine, bus, Metrics()).request()
        await eventually(lambda: len(heard) >= 2, what="a hint for each tenant")
        await settled(bus.client)
        await settled(client)
    hints = {one.tenant: one for one in (decode(said.encode(), PatternAggregation) for said in heard)}
    assert {tenant: (one.head, one.patterns, one.summary) for tenant, one in hints.items()} == {
        HERE: (2, (), NOTHING_SAID),
        YONDER: (2, (), NOTHING_SAID),
    }


def noting(notes: list[str]) -> Callable[[Msg], Awaitable[None]]:
    async def note(message: Msg) -> None:
        notes.append(message.data.decode())

    return note


async def all_settled(world: World) -> None:
    for client in (*world, *world):
        await settled(client)
