"""What another tenant shares, asked for over NATS and HTTP; and who may say there that it is shared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from http import HTTPStatus

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import aggregate
from centralcloud.config import CentralcloudSettings
from centralcloud.queries import answers
from centralcloud.queries.service import Queries
from centralcloud.web.api import endpoints
from centralcloud.web.paging import cursor
from schemas import subjects
from schemas.insights import InsightsPage, InsightsQuery
from schemas.subjects import Sender
from shared import client
from shared.bus import Bus
from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import PermanentError
from shared.metrics import Metrics
from shared.replica import Replica
from shared.web.guard import Guard
from shared.web.nearby import SOURCE
from tests.support.api import Api, api
from tests.support.asking import hub_bus
from tests.support.http import Answer, served
from tests.support.observed import digest, shared_by
from tests.support.tenants import (
    HERE,
    YONDER,
    accept,
    betrays,
    end,
    insight,
    instance,
    offer,
    two_tenants,
)


@pytest.fixture
async def engine(postgres: EmbeddedPostgres, make_database: Callable[[], str]) -> AsyncIterator[AsyncEngine]:
    async with two_tenants(postgres, make_database()) as engine:
        yield engine


async def test_an_instance_asks_over_nats_for_what_another_tenant_shares(
    engine: AsyncEngine, nats_server: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "PAGE_BYTES_MAX", 500)

    async def page(since: int = 0, subject: str = subjects.INSIGHTS_QUERY, tenant: str = YONDER) -> InsightsPage:
        query = InsightsQuery(tenant=tenant, since=since)
        sender = Sender(HERE, instance(HERE))
        return await client.ask([nats_server.url], subject, query, InsightsPage, sender=sender)

    async with hub_bus(nats_server.url, lambda bus: Queries(engine, bus)):
        for tenant in (YONDER, "nobody"):
            with pytest.raises(PermanentError, match=f"{tenant} shares nothing"):
                await page(tenant=tenant)
        await offer(engine)
        with pytest.raises(PermanentError, match="shares nothing"):
            await page()
        await accept(engine)
        first = await page()
        assert not first.complete
        rest = await page(first.insights[-1].version)
        assert rest.complete
        found = [*first.insights, *rest.insights]
        assert {one.id for one in found} == {insight(YONDER), digest(f"loop of {YONDER}")}
        assert rest.head == found[-1].version
        with pytest.raises(PermanentError, match="not one of tenant yonder"):
            await page(subject=subjects.CACHE_SYNC_REQUEST)
        await end(engine, YONDER)
        with pytest.raises(PermanentError, match="shares nothing"):
            await page()


@pytest.fixture
async def shown(postgres: EmbeddedPostgres, make_database: Callable[[], str]) -> AsyncIterator[Api]:
    guard = Guard(token="operator", tenant_tokens={HERE: "mine", YONDER: "theirs"}, requests_per_second=10_000)
    url = make_database()
    async with two_tenants(postgres, url), api(url, guard=guard) as shown:
        yield shown


async def get(shown: Api, token: str, path: str) -> Answer:
    return await shown.site.get(f"/api/v1{path}", Authorization=f"Bearer {token}")


async def post(shown: Api, token: str, path: str, **told: str) -> tuple[int, int | None]:
    """Status, and how much was changed."""
    answer = await shown.site.post(f"/api/v1{path}", told, Authorization=f"Bearer {token}")
    return answer.status, answer.document.get("changed")


async def test_over_http_each_says_its_own_half_with_its_own_token(shown: Api) -> None:
    reading = "/sharing/from/yonder/insights"
    assert (await get(shown, "mine", reading)).status == HTTPStatus.FORBIDDEN
    assert await post(shown, "mine", "/sharing/from/yonder/accept") == (HTTPStatus.NOT_FOUND, None)
    assert await post(shown, "theirs", "/sharing/to/here/offer", by="Yu") == (HTTPStatus.OK, 1)
    assert await post(shown, "theirs", "/sharing/to/here/offer", by="Yu") == (HTTPStatus.OK, 0)
    assert (await get(shown, "mine", reading)).status == HTTPStatus.FORBIDDEN
    assert await post(shown, "mine", "/sharing/from/yonder/accept", by="Hal") == (HTTPStatus.OK, 1)
    for token in ("mine", "theirs"):
        (one,) = (await get(shown, token, "/sharing")).document["items"]
        assert [one[name] for name in ("owner", "reader", "offered_by", "accepted_by")] == [YONDER, HERE, "Yu", "Hal"]
    listed = (await get(shown, "mine", reading)).document["items"]
    assert {one["id"] for one in listed} == {insight(YONDER), digest(f"loop of {YONDER}")}
    assert [one["version"] for one in listed] == sorted((one["version"] for one in listed), reverse=True)
    first = (await get(shown, "mine", f"{reading}?limit=1")).document
    rest = (await get(shown, "mine", f"{reading}?limit=1&after={first['next']}")).document
    assert [*first["items"], *rest["items"]] == listed
    assert (await get(shown, "mine", f"{reading}?language=go")).document["items"] == []
    for place in (cursor(2**63), cursor("x"), "x"):
        assert (await get(shown, "mine", f"{reading}?after={place}")).status == HTTPStatus.BAD_REQUEST
    assert (await get(shown, "theirs", "/sharing/from/here/insights")).status == HTTPStatus.FORBIDDEN
    assert await post(shown, "mine", "/sharing/from/yonder/end") == (HTTPStatus.OK, 1)
    assert (await get(shown, "mine", reading)).status == HTTPStatus.FORBIDDEN
    assert (await get(shown, "theirs", "/sharing")).document["items"] == []


async def test_over_http_the_operator_acts_for_the_tenant_that_is_named(shown: Api) -> None:
    assert await post(shown, "operator", "/sharing/to/here/offer", tenant=YONDER) == (HTTPStatus.OK, 1)
    assert await post(shown, "operator", "/sharing/from/yonder/accept", tenant=HERE) == (HTTPStatus.OK, 1)
    assert (await get(shown, "operator", "/sharing/from/yonder/insights?tenant=here")).document["items"]
    assert (await get(shown, "operator", "/sharing/from/yonder/insights")).status == HTTPStatus.FORBIDDEN
    assert (await get(shown, "operator", "/sharing?tenant=here")).document["items"]
    assert (await get(shown, "operator", "/sharing")).document["items"] == []
    assert await post(shown, "operator", "/sharing/to/here/end", tenant=YONDER) == (HTTPStatus.OK, 1)


async def test_what_is_shared_is_in_none_of_the_reader_s_own_pages(shown: Api) -> None:
    await offer(shown.engine)
    await accept(shown.engine)
    own = await shared_by(shown.engine, f"habit of {YONDER}", [instance(HERE)], tenant=HERE)
    await aggregate(shown.engine, HERE)
    for path in ("/insights", "/patterns", "/overview", "/statistics", "/activity", "/results/summary"):
        assert not betrays((await get(shown, "mine", path)).body, YONDER, own), path
    (pattern,) = [one for one in (await get(shown, "mine", "/patterns?sort=newest")).document["items"]
                  if one["fingerprint"] == own]  # fmt: skip
    assert (pattern["instances"], pattern["insight"]) == (1, None), "that another knows it, too, is no evidence here"


async def test_what_is_shared_is_never_read_from_a_replica(shown: Api) -> None:
    """It may be behind: what is shared no more would be seen for a while yet."""
    bus = Bus(["nats://127.0.0.1:1"], client_name="web", inbox_prefix="_INBOX.centralcloud.web", metrics=Metrics())
    replica = Replica(shown.engine, shown.engine, Metrics(), stale_seconds=60)
    table = endpoints(shown.engine, bus, CentralcloudSettings(), shown.feed, replica)
    await offer(shown.engine)
    await accept(shown.engine)
    async with served(*table, guard=Guard(requests_per_second=10_000)) as site:
        own = await site.get("/api/v1/insights?tenant=here")
        shared = await site.get("/api/v1/sharing/from/yonder/insights?tenant=here")
    assert (own.status, shared.status) == (HTTPStatus.OK, HTTPStatus.OK)
    assert (SOURCE in own.headers, SOURCE in shared.headers) == (True, False)
