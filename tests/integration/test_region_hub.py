"""What a region's hub answers its delegate over NATS, and whom it takes in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from nats.aio.client import Client
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

import centralcloud.daemon
from centralcloud.aggregate import aggregate
from centralcloud.config import CentralcloudSettings
from centralcloud.region.service import Listening
from centralcloud.store import insights
from centralcloud.store.tenancy import of_tenant
from schemas import subjects
from schemas.region import InsightsTold, RegionPage, RegionQuery, ToldReply
from schemas.replies import ErrorBody, ErrorCode
from schemas.subjects import Sender
from schemas.sync import Receipt, SyncRequest
from shared.database import connect_engine, transaction
from shared.embedded.nats import EmbeddedNats
from tests.support.asking import asker, hub_bus
from tests.support.daemons import Hub
from tests.support.databases import central_engine
from tests.support.known import register
from tests.support.lifecycle import started
from tests.support.observed import TENANT, digest
from tests.support.regional import DELEGATE, asked, delegate_of, pinned
from tests.support.told import Above, known_above


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        yield engine


@pytest.fixture
async def client(engine: AsyncEngine, nats_server: EmbeddedNats) -> AsyncIterator[Client]:
    async with delegate_of(engine, nats_server.url) as client:
        yield client


async def tell(client: Client, page: InsightsTold, sender: Sender = DELEGATE) -> int | ErrorBody:
    found = await asked(client, subjects.told(sender), page, ToldReply)
    return found.version if isinstance(found, ToldReply) else found


async def test_what_is_told_in_pages_becomes_insights(client: Client, engine: AsyncEngine) -> None:
    above = Above()
    for number in range(450):
        above.change(f"p{number}")
    assert await tell(client, InsightsTold(since=0, version=0, head=0)) == 0
    version, pages = 0, 0
    while (page := above.page(version, 200)).insights:
        told = await tell(client, page)
        assert isinstance(told, int)
        version, pages = told, pages + 1
    assert (version, pages) == (450, 3)
    await aggregate(engine, TENANT, "new")
    async with transaction(engine) as connection:
        assert (await insights.summary(connection, TENANT)).total_patterns == 450


async def test_a_delegate_that_starts_again_goes_on_where_the_region_is(client: Client, engine: AsyncEngine) -> None:
    above = Above()
    for name in ("a", "b", "c"):
        above.change(name)
    await tell(client, above.page(0, 200))
    assert await tell(client, InsightsTold(since=0, version=0, head=3)) == 3
    above.restart(forgotten=["b"])
    assert await tell(client, above.page(3, 200)) == 2
    async with transaction(engine) as connection:
        left = (await connection.execute(text("SELECT id FROM insights_above ORDER BY id"))).scalars().all()
    assert left == sorted([digest("a"), digest("c")])


@pytest.mark.parametrize("sender", [Sender(TENANT, "ann"), Sender(TENANT, "delegat"), Sender(TENANT, "eu")])
async def test_nobody_else_is_heard(client: Client, engine: AsyncEngine, sender: Sender) -> None:
    page = InsightsTold(since=0, version=1, head=1, insights=(known_above("a", 1),), begins=True)
    refused = await tell(client, page, sender)
    assert isinstance(refused, ErrorBody)
    assert (refused.code, sender.instance in refused.message) == (ErrorCode.UNAUTHORIZED, True)
    async with transaction(engine) as connection:
        for table in ("insights_above", "tellings", "changed_patterns"):
            count = await connection.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - three names
            assert count.scalar_one() == 0


async def test_without_a_delegate_nobody_is_heard(engine: AsyncEngine, own_nats: Callable[[], EmbeddedNats]) -> None:
    url = own_nats().url
    async with (
        hub_bus(url, lambda bus: Listening(engine, bus, region="", delegate="")),
        asker(url, *DELEGATE) as client,
    ):
        refused = await tell(client, InsightsTold(since=0, version=0, head=0))
    assert isinstance(refused, ErrorBody)
    assert "hears nobody" in refused.message


async def test_a_page_that_is_none_is_refused(client: Client) -> None:
    page = InsightsTold(since=0, version=1, head=1, insights=(known_above("a", 1),) * 201)
    refused = await tell(client, page)
    assert isinstance(refused, ErrorBody)
    assert refused.code is ErrorCode.INVALID_REQUEST


async def test_the_leading_hub_is_told_to_look(
    own_nats: Callable[[], EmbeddedNats], make_database: Callable[[], str]
) -> None:
    url, database = own_nats().url, make_database()
    settings = CentralcloudSettings(nats_url=url, database_url=database, region="eu", region_delegate="delegate")
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(centralcloud.daemon.build(settings))
        engine = connect_engine(database, application="test")
        stack.push_async_callback(engine.dispose)
        await stack.enter_async_context(started(*services))
        hub = Hub(services, engine)
        client = await stack.enter_async_context(asker(url, *DELEGATE))
        assert await tell(client, InsightsTold(since=0, version=1, head=1, insights=(known_above("a", 1),))) == 1
        await hub.reaches("SELECT count(*) FROM insights WHERE CAST(body->>'above' AS boolean)", 1)


async def where(client: Client) -> RegionPage:
    found = await asked(client, subjects.REGION_QUERY, RegionQuery(), RegionPage)
    assert isinstance(found, RegionPage)
    return found


async def test_a_region_says_who_it_is_and_who_belongs_there(client: Client, engine: AsyncEngine) -> None:
    free = await where(client)
    assert (free.region, free.pinned, free.admitted, free.leaves, free.serving) == ("eu", False, True, True, "eu")
    await pinned(engine, "us", "eu")
    bound = await where(client)
    assert (bound.pinned, bound.primary, bound.fallbacks) == (True, "us", ("eu",))
    assert (bound.admitted, bound.leaves, bound.serving) == (True, False, "eu")
    assert bound.reasons[1] == "us: never heard here: away"
    await pinned(engine, "us", "ap")
    elsewhere = await where(client)
    assert (elsewhere.admitted, elsewhere.leaves, elsewhere.serving) == (False, False, "")


async def test_a_region_lives_while_a_delegate_of_anybody_is_heard(client: Client, engine: AsyncEngine) -> None:
    await pinned(engine, "us", "eu")
    await register(engine, "us", tenant="another")
    beat = """
        UPDATE instance_registry SET role = :role, region = 'us', last_heartbeat = now() - make_interval(secs => :s)"""
    for role, seconds, wanted in (("hybrid", 1, "eu"), ("region", 1, "us"), ("region", 61, "eu")):
        async with transaction(engine) as connection:
            await connection.execute(text(beat), {"role": role, "s": seconds})
        found = await where(client)
        assert found.serving == wanted, found.reasons


async def test_a_tenant_is_not_told_in_a_region_it_must_not_be_in(client: Client, engine: AsyncEngine) -> None:
    await pinned(engine, "us")
    page = InsightsTold(since=0, version=1, head=1, insights=(known_above("a", 1),))
    refused = await tell(client, page)
    assert isinstance(refused, ErrorBody)
    assert (refused.code, refused.details) == (ErrorCode.UNAUTHORIZED, {"region": "eu", "primary": "us"})
    await pinned(engine, "eu")
    assert await tell(client, page) == 1


async def test_an_instance_of_a_tenant_pinned_elsewhere_is_not_admitted(client: Client, engine: AsyncEngine) -> None:
    request = SyncRequest(epoch="0" * 32, head=0, holder="1" * 32)

    async def sync(tenant: str) -> Any:
        return await asked(client, subjects.sync(Sender(tenant, "ann")), request, Receipt)

    await pinned(engine, "us", "ap", tenant="acme")
    refused = await sync("acme")
    assert (refused.code, refused.retryable) == (ErrorCode.UNAUTHORIZED, False)
    assert refused.message == "tenant acme is pinned to us, then ap, and this is region eu: go to one of them"
    assert isinstance(await sync("other"), Receipt)
    async with transaction(engine) as connection:
        known = (await connection.execute(text("SELECT tenant FROM instance_registry"))).scalars().all()
    assert known == ["other"]
    await pinned(engine, "us", "eu", tenant="acme")
    assert isinstance(await sync("acme"), Receipt)


async def test_a_tenant_looks_at_its_pin_and_does_not_change_it(client: Client, engine: AsyncEngine) -> None:
    await pinned(engine, "us")
    await pinned(engine, "ap", tenant="another")
    assert (await where(client)).primary == "us"
    async with of_tenant(engine, TENANT) as connection:
        seen = (await connection.execute(text("SELECT tenant_id FROM tenant_regions"))).scalars().all()
        changed = await connection.execute(text("UPDATE tenant_regions SET primary_region = 'eu'"))
        gone = await connection.execute(text("DELETE FROM tenant_regions"))
    assert (seen, changed.rowcount, gone.rowcount) == ([TENANT], 0, 0)
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with of_tenant(engine, "third") as connection:
            await connection.execute(
                text("INSERT INTO tenant_regions (tenant_id, primary_region) VALUES ('third', 'eu')")
            )
