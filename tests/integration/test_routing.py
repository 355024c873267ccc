"""Priors for routing, from the results of instances over the hub to an instance that has none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from nats.aio.msg import Msg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.learning.routing import priors
from centralcloud.queries.service import Queries
from centralcloud.routing import PAGE_BYTES_MAX, publish
from centralcloud.store import results as central_results
from centralcloud.store import routing as central_routing
from centralcloud.store.results import ResultRow
from instance.store import routing
from instance.sync.downlink import Downlink
from schemas import subjects
from schemas.codec import decode, encode
from schemas.replies import Response
from schemas.results import ResultSums, Sketch
from schemas.routing import PRIORS_MAX, RoutingPrior, RoutingPriors
from schemas.routing_pages import RoutingPage, RoutingQuery, RoutingUpdated
from schemas.subjects import Sender, inbox_prefix
from shared.bus import Bus, settled
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.errors import NotFoundError, UnreachableError
from shared.metrics import Metrics
from shared.schedule import Schedules
from tests.support.asking import hub_bus
from tests.support.daemons import Fleet
from tests.support.databases import central_engine, instance_engine
from tests.support.lifecycle import started
from tests.support.routed import advice, made, record
from tests.support.wire import plain_client

MakeDatabase = Callable[[], str]

TENANT = "default"
TODAY = datetime.now(UTC).date()
NO_VERSION = "0" * 32


async def test_a_new_instance_chooses_by_what_the_others_saw_until_it_has_seen_otherwise(fleet: Fleet) -> None:
    hub = await fleet.hub()
    new = await fleet.member("new")
    others = [await fleet.member(name) for name in ("ann", "bob", "cid", "dan")]
    with pytest.raises(NotFoundError, match="name an incumbent"):
        await advice(new.engine)
    for one in others:
        await record(one.engine, made("small", 36, 4) + made("large", 19, 1))
        await one.all_confirmed()
    await hub.part(Schedules).run_now("routing")
    assert await hub.value("SELECT jsonb_array_length(body) FROM routing_priors") == 2
    await new.reaches("SELECT count(*) FROM routing_priors", 2)
    found = await advice(new.engine)
    assert found.plan == ("small",)
    assert found.expected is not None
    assert found.expected.cost_cents is not None
    assert found.expected.cost_cents.expected == pytest.approx(1.0, rel=0.05)
    assert found.expected.success.low < 0.9 < found.expected.success.high

    await record(new.engine, made("small", 2, 30) + made("large", 30, 2))
    assert (await advice(new.engine)).plan == ("large",)


async def test_who_is_set_aside_has_no_say(fleet: Fleet) -> None:
    hub, new, liar = await fleet.hub(), await fleet.member("new"), await fleet.member("liar")
    await record(liar.engine, made("small", 40, 0))
    await liar.all_confirmed()
    await hub.part(Schedules).run_now("routing")
    await new.reaches("SELECT count(*) FROM routing_priors", 1)
    async with transaction(hub.engine) as connection:
        await connection.execute(
            text("INSERT INTO instance_trust (tenant, instance, trust, z, facts) VALUES ('default', 'liar', 0, 9, 1)")
        )
    await hub.part(Schedules).run_now("routing")
    await new.reaches("SELECT count(*) FROM routing_priors", 0)


async def test_priors_are_those_of_all_kinds_at_once(nats_server: EmbeddedNats, make_database: MakeDatabase) -> None:
    async with central_engine(make_database()) as central, hub_bus(nats_server.url) as bus:
        rows = [row(number, kind, instance) for number, kind in enumerate(("fix", "docs")) for instance in ("a", "b")]
        async with transaction(central) as connection:
            await central_results.upsert(connection, rows)
            said = await central_results.between(connection, TENANT, TODAY, TODAY)
        published = await publish(central, bus, TENANT, TODAY)
        assert published == priors(said, TODAY)
        assert [(one.job_type, one.instances) for one in published.priors] == [("docs", 2), ("fix", 2)]


async def test_more_priors_than_fit_into_a_message_come_in_pages(
    nats_server: EmbeddedNats, make_database: MakeDatabase
) -> None:
    async with (
        central_engine(make_database()) as central,
        downlink(nats_server.url, make_database()) as (link, own),
        hub_bus(nats_server.url, lambda hub: Queries(central, hub)) as bus,
        plain_client(nats_server.url) as client,
    ):
        hints = await client.subscribe(subjects.INSIGHTS_ROUTING)
        await link.fetch_priors()
        assert await known(own) is None
        async with transaction(central) as connection:
            await central_results.upsert(connection, [row(number) for number in range(2500)])
        said = await publish(central, bus, TENANT, TODAY)
        hint = decode((await hints.next_msg(timeout=5)).data, RoutingUpdated)
        assert hint.priors == len(said.priors) == 2500
        pages = await sizes(central)
        assert len(pages) > 1
        assert max(pages) < 1.01 * PAGE_BYTES_MAX
        await link.fetch_priors()
        assert await known(own) == said
        assert await publish(central, bus, TENANT, TODAY) == said
        await publish(central, bus, "another", TODAY)
        again = decode((await hints.next_msg(timeout=5)).data, RoutingUpdated)
        assert again.tenant == "another", "the same priors are no news"


async def test_priors_that_change_while_they_are_fetched_are_not_mixed(
    nats_server: EmbeddedNats, make_database: MakeDatabase
) -> None:
    async def answer(message: Msg) -> None:
        number = decode(message.data, RoutingQuery).page
        content = RoutingPriors(day=TODAY)
        page = RoutingPage(digest=str(number), pages=2, content=content)
        told: Response[RoutingPage] = Response(
            timestamp=datetime.now(UTC), correlation_id="x", success=True, data=page, error=None
        )
        await message.respond(encode(told))

    async with downlink(nats_server.url, make_database()) as (link, own), plain_client(nats_server.url) as client:
        async with transaction(own) as connection:
            await routing.replace(connection, TODAY, [prior()])
        await client.subscribe(subjects.ROUTING_QUERY, cb=answer)
        await settled(client)
        with pytest.raises(UnreachableError, match="changed while"):
            await link.fetch_priors()
        assert (await known(own)) == RoutingPriors(day=TODAY, priors=(prior(),))


@asynccontextmanager
async def downlink(url: str, database_url: str) -> AsyncIterator[tuple[Downlink, AsyncEngine]]:
    """Give the way down of an instance, which fetches when it is told to, and the instance's database."""
    bus = Bus([url], client_name="ann", inbox_prefix=inbox_prefix(Sender(TENANT, "ann")), metrics=Metrics())
    async with instance_engine(database_url) as engine, started(bus):
        await bus.connected.wait()
        yield Downlink(engine, bus, TENANT, Metrics()), engine


async def known(engine: AsyncEngine) -> RoutingPriors | None:
    async with transaction(engine) as connection:
        return await routing.nearest(connection, ["fix"], {"size": "s"}, PRIORS_MAX)


async def sizes(engine: AsyncEngine) -> list[int]:
    async with transaction(engine) as connection:
        first = await central_routing.page(connection, TENANT, 0)
        return [len(encode(await central_routing.page(connection, TENANT, number))) for number in range(first.pages)]


def row(number: int, job_type: str = "fix", instance: str = "ann") -> ResultRow:
    buckets = tuple((300 + 7 * place, 2) for place in range(20))
    sums = ResultSums(
        results=40, succeeded=30, failed=5, priced=40, cost_microcents=10**9, cost=Sketch(buckets=buckets), timed=40,
        latency_ms=10**5, latency_ms_squared=1e9, latency=Sketch(buckets=buckets),
    )  # fmt: skip
    return ResultRow(
        **{name: getattr(sums, name) for name in ResultSums.__struct_fields__},
        tenant=TENANT, instance=instance, day=TODAY, job_type=job_type, model=f"model-{number:04}",
        context={"size": "s"}, epoch=NO_VERSION, version=1, seq=number, event_id=f"{number:032}",
    )  # fmt: skip


def prior() -> RoutingPrior:
    return RoutingPrior(job_type="fix", model="small", instances=1, sums=ResultSums(results=1), weight=1.0)
