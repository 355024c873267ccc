"""The bus and the hubs over HTTP: streams, dead letters, who leads, locks and processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from centralcloud.ingest.arrivals import DeadLetter, Lineage
from centralcloud.ingest.commit import commit
from centralcloud.ingest.stream import CONSUMER
from centralcloud.leadership import LEADER
from schemas import subjects
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.leader import Leadership
from shared.lease import Lease
from shared.metrics import Metrics
from tests.support.api import Api, api, listening
from tests.support.fleet import hub
from tests.support.lifecycle import started
from tests.support.wait import eventually
from tests.support.wire import EPOCH, envelope, event, plain_client, send


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Api]:
    async with api(database_url) as served_api:
        yield served_api


async def test_streams_tell_who_reads_them_and_how_far(database_url: str, own_nats: Callable[[], EmbeddedNats]) -> None:
    url = own_nats().url
    async with hub(url, database_url) as central, plain_client(url) as client:
        await eventually(lambda: _has_stream(client))
        await send(client, envelope(1, [event(1)]))
        await asyncio.wait_for(central.commits.wait(), 10)
    async with plain_client(url) as client, api(database_url, url) as served_api:
        await send(client, envelope(2, [event(2)]))
        await send(client, envelope(3, [event(3)]))
        found = await served_api.get("/streams")
        (stream,) = found["items"]
        assert (stream["name"], stream["messages"], stream["last_seq"], stream["senders"]) == (subjects.STREAM, 3, 3, 1)
        assert stream["first_at"] <= stream["last_at"]
        (consumer,) = stream["consumers"]
        assert (consumer["name"], consumer["lag"], consumer["acknowledged"]) == (CONSUMER, 2, 1)
        assert consumer["lag_seconds"] >= 0
        assert found["server"].startswith("127.0.0.1:")
        await served_api.told("/instances/one/timeline", lambda one: one["data"], [{"events": 1, "patterns": 1}])


async def test_everything_that_can_be_asked_describes_itself(served: Api) -> None:
    described = (await served.site.get("/openapi.json")).document
    assert len(described["paths"]) >= 40
    for path, methods in described["paths"].items():
        for method, endpoint in methods.items():
            assert endpoint["summary"], (path, method)
    assert "Overview" in described["components"]["schemas"]


async def test_without_nats_the_streams_are_unknown_and_the_rest_goes_on(served: Api) -> None:
    answer = await served.site.get("/api/v1/streams")
    assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE")
    assert "retry-after" in answer.headers
    await served.get("/overview")


async def test_dead_letters_are_listed_and_tried_again(served: Api) -> None:
    lineage = Lineage("default", "ann", EPOCH)
    letters = [
        DeadLetter("", b"\xff<script>", "unreadable", lineage, 4),
        DeadLetter("", b"{}" * 500, "unreadable", lineage, 5),
        DeadLetter("a.b", b"{", "no tenant"),
        DeadLetter("", b"[]", "not ours", Lineage("theirs", "bob", EPOCH), 1),
    ]
    async with transaction(served.engine) as connection:
        await commit(connection, [], letters)
    listed = await served.every("/dead-letters", 2)
    assert [(one["instance"], one["bytes"]) for one in listed] == [(None, 1), ("ann", 1000), ("ann", 9)]
    assert (listed[2]["excerpt"], len(listed[1]["excerpt"])) == ("\ufffd<script>", 400)
    assert (await served.get("/overview"))["dead_letters"] == 4
    first = await served.post("/dead-letters/replay")
    assert first["is_new"]
    assert await served.post("/dead-letters/replay") == {"job": first["job"], "is_new": False}
    wanted = [(None, 1), ("ann", 2)]
    await served.told("/activity?kinds=dead_letter", lambda one: (one["instance"], one["data"]["letters"]), wanted)


async def test_who_leads_is_told_and_can_be_changed(served: Api) -> None:
    assert (await served.get("/leader"))["leader"] is None
    answer = await served.site.post("/admin/orchestrator/stop")
    assert (answer.status, answer.code) == (409, "CONFLICT")
    first, second = (
        Leadership(served.engine, LEADER, Metrics(), candidate=name, ttl_seconds=3.0, check_seconds=0.2)
        for name in ("one", "two")
    )
    async with listening(served.site) as listener, started(first):
        await eventually(lambda: _leads(served, "one"))
        heard = await listener.next()
        assert heard is not None
        assert (heard.kind, heard.data["instance"]) == ("leader", None)
        async with started(second):
            await eventually(lambda: _candidates(served, 2))
            promoted = await served.site.post("/admin/orchestrator/promote", {"name": "two", "force": True})
            assert promoted.document["leader"]["candidate"] == "two"
            refused = await served.site.post("/admin/orchestrator/promote", {"name": "one"})
            assert (refused.status, refused.code) == (409, "CONFLICT")
            history = await served.every("/leader/history", 1)
            assert [one["ended"] for one in history] == [None, "forced"]
            assert (await served.get("/overview"))["leader"]["candidate"] == "two"
            unknown = await served.site.post("/admin/orchestrator/promote", {"name": "three"})
            assert unknown.status == 404


async def test_locks_that_are_held_and_were_held_are_listed(served: Api) -> None:
    async with started(Lease(served.engine, "config", holder="me", ttl_seconds=10)):
        (held,) = (await served.get("/locks"))["items"]
        assert (held["lock_name"], held["holder"]) == ("config", "me")
        assert 0 < held["remaining_seconds"] <= 10
    assert (await served.get("/locks"))["items"] == []
    (past,) = (await served.get("/locks/history?name=config"))["items"]
    assert past["ended"] == "released"
    assert await served.get("/workers") == {"items": [], "next": None}


async def _leads(served: Api, name: str) -> bool:
    leader = (await served.get("/leader"))["leader"]
    return leader is not None and leader["candidate"] == name


async def _candidates(served: Api, count: int) -> bool:
    return len((await served.get("/leader"))["candidates"]) == count


async def _has_stream(client: object) -> bool:
    names = [one.config.name for one in await client.jetstream().streams_info()]  # type: ignore[attr-defined]
    return subjects.STREAM in names
