"""With the token of one tenant, every endpoint there is, about another."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Final

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.config import CentralcloudSettings
from centralcloud.connections import Engines
from centralcloud.store import activity
from centralcloud.store.activity import Happened, Happening
from centralcloud.store.tenancy import of_tenant
from centralcloud.surface import show
from centralcloud.wellbeing import health_of
from shared.bus import Bus
from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.metrics import Metrics
from shared.notices import Notices
from shared.web.server import WebServer
from tests.support.api import Event, Listener
from tests.support.hostile_requests import Operation, operations
from tests.support.http import Answer, Site
from tests.support.lifecycle import started
from tests.support.tenants import HERE, YONDER, betrays, everything_of, insight, instance, two_tenants

MINE: Final = {"Authorization": "Bearer mine"}
OPERATOR: Final = {"Authorization": "Bearer operator"}
STREAM: Final = "/api/v1/events"
PATHS: Final = {
    "instance": instance(YONDER),
    "fingerprint": insight(YONDER),
    "id": insight(YONDER),
    "owner": YONDER,
    "reader": YONDER,
    "queue": "default",
    "name": "aggregate",
}
"""What a path may name of the other tenant; a name that is not here is a new one, and to be thought about."""

OPEN: Final = {"/live", "/health/live", "/ready", "/health/ready", "/health", "/openapi.json"}
"""What is told to everybody, and of no tenant."""


@pytest.fixture
async def engine(postgres: EmbeddedPostgres, make_database: Callable[[], str]) -> AsyncIterator[AsyncEngine]:
    async with two_tenants(postgres, make_database()) as engine:
        yield engine


@pytest.fixture
async def site(engine: AsyncEngine) -> AsyncIterator[Site]:
    """Everything a hub shows over HTTP, put together as its daemon does, with a token for each tenant."""
    settings = CentralcloudSettings(
        http_port=0, http_token="operator", tenant_tokens={HERE: "mine", YONDER: "theirs"},
        ingest_tokens={instance(YONDER): "ingest"}, http_requests_per_second=10_000.0,
    )  # fmt: skip
    metrics = Metrics()
    bus = Bus(["nats://127.0.0.1:1"], client_name="web", inbox_prefix="_INBOX.centralcloud.web", metrics=metrics)
    notices = Notices(engine)
    health = health_of(engine, bus, settings, name="hub")
    services = show(Engines(engine, engine, None), bus, notices, settings, metrics, health, answers=True)
    async with started(bus, notices, *services, health):
        yield Site(next(service.port for service in services if isinstance(service, WebServer)))


async def test_every_endpoint_keeps_to_the_tenant_of_the_token(engine: AsyncEngine, site: Site) -> None:
    before = await everything_of(engine, YONDER)
    described = operations((await site.get("/openapi.json")).document)
    assert {"/ingest", "/metrics", STREAM, "/api/v1/insights/{id}/revoke"} <= {one.path for one in described}
    assert [flaw for one in described async for flaw in _flaws(site, one)] == []
    assert await everything_of(engine, YONDER) == before


async def test_the_words_looked_for_are_there_for_who_may_see_them(site: Site) -> None:
    """Otherwise finding none would say nothing."""
    theirs = {"Authorization": "Bearer theirs"}
    for path in ("instances", "patterns", "insights", "results/summary", "activity", f"insights/{insight(YONDER)}"):
        assert betrays((await site.get(f"/api/v1/{path}", **theirs)).body, YONDER), path
        assert not betrays((await site.get(f"/api/v1/{path}", **MINE)).body, YONDER, insight(YONDER)), path
        assert betrays((await site.get(f"/api/v1/{path}?tenant=yonder", **OPERATOR)).body, YONDER), path


async def test_a_tenant_is_named_once_and_is_the_token_s(site: Site) -> None:
    revoke = f"/api/v1/insights/{insight(YONDER)}/revoke"
    for path in ("/api/v1/insights?tenant=here&tenant=yonder", "/api/v1/insights?tenant=here&%74enant=yonder"):
        assert (await site.get(path, **MINE)).status == HTTPStatus.BAD_REQUEST, path
    twice = await site.post(f"{revoke}?tenant=here", {"tenant": YONDER}, **MINE)
    assert twice.status == HTTPStatus.BAD_REQUEST
    for forged in ("yonder", "YONDER", "yonder%20", "%79onder", "", "*"):
        assert (await site.get(f"/api/v1/insights?tenant={forged}", **MINE)).status == HTTPStatus.FORBIDDEN, forged
    for no_name in (["yonder"], {"tenant": "yonder"}, None, 0):
        assert (await site.post(revoke, {"tenant": no_name}, **MINE)).status == HTTPStatus.FORBIDDEN, no_name


async def test_the_feed_tells_a_tenant_nothing_of_others_and_nothing_of_the_hubs(
    engine: AsyncEngine, site: Site
) -> None:
    before = len(await happened(engine, "before"))
    listeners = [
        await asyncio.to_thread(Listener, site.port, f"{STREAM}?{words}", headers)
        for words, headers in (("after=0", MINE), ("replay=2", MINE), ("replay=2&tenant=here", OPERATOR))
    ]
    try:
        await happened(engine, "after")
        missed, replayed, told = [[event async for event in _until(one, "after")] for one in listeners]
    finally:
        for listener in listeners:
            listener.close()
    for heard in (missed, replayed):
        assert {event.data["tenant"] for event in heard} == {HERE}
        assert not betrays(msgspec.json.encode([event.data for event in heard]), YONDER)
    assert len(missed) == before + 1
    assert len(replayed) == 3
    assert [event.kind for event in told] == ["leader", "learned", "leader", "learned"]


async def happened(engine: AsyncEngine, name: str) -> list[Happened]:
    """Have something happen with the hubs, with the other tenant and with ours; returns all that did with ours."""
    many = [Happening(tenant=None, kind="leader", instance=None, data={"epoch": 7})]
    many += [Happening(tenant=tenant, kind="learned", instance=name, data={}) for tenant in (YONDER, HERE)]
    async with transaction(engine) as connection:
        await activity.tell(connection, many)
    async with transaction(engine) as connection:
        await activity.place_all(connection)
    async with of_tenant(engine, HERE) as connection:
        return await activity.after(connection, 0, 1_000)


async def _until(listener: Listener, name: str) -> AsyncIterator[Event]:
    while (event := await listener.next()) is not None:
        yield event
        if event.data["instance"] == name:
            return


async def _flaws(site: Site, one: Operation) -> AsyncIterator[str]:
    """Ask as a tenant, of what is its own and by names of another's; then about the other."""
    path = re.sub(r"{(\w+)}", lambda found: PATHS[found.group(1)], one.path)
    told = [value for name, value in PATHS.items() if f"{{{name}}}" in one.path]
    if one.path != STREAM:
        answer = await _ask(site, one.method, path, {})
        if found := betrays(answer.body, YONDER, *told):
            yield f"{one.method} {path}: {found} in {answer.body!r}"
    foreign = await _ask(site, one.method, path, {"tenant": YONDER})
    if one.path not in OPEN and foreign.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED):
        yield f"{one.method} {path} about another: {foreign.status} {foreign.body!r}"
    if found := betrays(foreign.body, YONDER, YONDER, *told):
        yield f"{one.method} {path} about another: {found}"


async def _ask(site: Site, method: str, path: str, about: dict[str, str]) -> Answer:
    if path == STREAM and about:
        return await asyncio.to_thread(_head, site, about["tenant"])
    if method == "GET":
        return await site.get(path + "".join(f"?{name}={value}" for name, value in about.items()), **MINE)
    return await site.post(path, about, **MINE)


def _head(site: Site, tenant: str) -> Answer:
    """Ask for a stream, and wait for no more than whether it begins."""
    listener = Listener(site.port, f"{STREAM}?tenant={tenant}", MINE)
    listener.close()
    return Answer(listener.status, listener.headers, b"")
