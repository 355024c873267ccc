"""Tools that do not speak NATS post what they learned, each in its own name alone, and it is taken in once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from centralcloud.web.ingest import Posts
from schemas import subjects
from schemas.envelope import POSTED_EPOCH
from schemas.flow import FlowHint
from shared.bus import Bus
from shared.embedded.nats import EmbeddedNats
from shared.metrics import Metrics
from tests.contract.golden import golden
from tests.support.fleet import Hub, hub
from tests.support.http import Answer, Site, served
from tests.support.lifecycle import started
from tests.support.patterns import scalar
from tests.support.wait import eventually
from tests.support.wire import EPOCH, envelope, event, plain_client, send

OwnNats = Callable[[], EmbeddedNats]
MakeDatabase = Callable[[], str]

TOKENS = {"builder": "of-the-builder", "tester": "of-the-tester"}
LINES = "application/x-ndjson"
OBSERVED = "SELECT count(*) FROM observations"


class Door(NamedTuple):
    """Where posts are taken, and the hub behind it."""

    site: Site
    central: Hub
    server: EmbeddedNats

    async def post(self, body: bytes, *, token: str = TOKENS["builder"], form: str = LINES, **headers: str) -> Answer:
        told = {"Authorization": f"Bearer {token}", "Content_Type": form, **headers}
        return await self.site.ask("POST", "/ingest", body, **told)

    async def holds(self, statement: str, wanted: object) -> None:
        await self.central.reaches(statement, wanted)


@asynccontextmanager
async def door_to(central: Hub, server: EmbeddedNats, per_second: float = 1000.0) -> AsyncIterator[Door]:
    bus = Bus([server.url], client_name="web", inbox_prefix="_INBOX.centralcloud.web", metrics=Metrics())
    posts = Posts(central.engine, bus, TOKENS, "default", posts_per_second=per_second)
    async with started(bus), served(posts.endpoint()) as site:
        await eventually(bus.connected.is_set)
        yield Door(site, central, server)


@pytest.fixture
async def door(own_nats: OwnNats, make_database: MakeDatabase) -> AsyncIterator[Door]:
    server = own_nats()
    async with hub(server.url, make_database()) as central, door_to(central, server) as opened:
        await central.receives()
        yield opened


def lines(*numbers: int, files: int = 3, version: int = 1) -> bytes:
    return b"\n".join(event(number, files=files, version=version) for number in numbers)


async def test_lines_an_array_and_one_event_are_taken_in_the_name_of_the_token(door: Door) -> None:
    array = json.dumps([json.loads(event(number)) for number in (3, 4)]).encode()
    one = json.dumps(json.loads(event(5)), indent=2).encode()
    for body, form, count in ((lines(1, 2), LINES, 2), (array, "application/json", 2), (one, "application/json", 1)):
        answer = await door.post(body, form=form)
        assert (answer.status, answer.document) == (202, {"instance": "builder", "accepted": count})
    await door.holds(f"{OBSERVED} WHERE instance = 'builder' AND epoch = '{POSTED_EPOCH}'", 5)
    assert await scalar(door.central.engine, "SELECT wm FROM watermarks") == 5


async def test_results_and_patterns_of_one_post_go_where_each_belongs(door: Door) -> None:
    result = json.dumps(json.loads(golden("job.result.learned.v1"))).encode()
    forgotten = json.dumps(json.loads(golden("pattern.forgotten.v1"))).encode()
    assert (await door.post(b"\n".join([event(1), result, forgotten]))).document["accepted"] == 3
    await door.holds("SELECT count(*) FROM result_states WHERE instance = 'builder'", 1)
    await door.holds("SELECT count(*) FILTER (WHERE forgotten) || ' of ' || count(*) FROM observations", "1 of 2")


async def test_what_is_posted_again_is_taken_in_once(door: Door) -> None:
    for _ in range(3):
        assert (await door.post(lines(1, 2))).status == 202
    for files in (3, 9):  # the key says that they are the same
        assert (await door.post(lines(3, files=files), Idempotency_Key="of today")).status == 202
    assert (await door.post(lines(1, 2), token=TOKENS["tester"])).status == 202
    await door.holds("SELECT sum(wm) FROM watermarks", 5)
    await eventually(lambda: door.central.counted("events_repeated") == 5)
    assert await scalar(door.central.engine, "SELECT sum(files) FROM observations") == 15


async def test_many_posts_at_once_are_numbered_without_gaps(door: Door) -> None:
    async with plain_client(door.server.url) as client:
        for number in range(30):
            await door.post(lines(number))
            await send(client, envelope(number + 1, [event(100 + number)]))
    await door.holds("SELECT string_agg(wm::text, ' ') FROM watermarks WHERE wm = 30", "30 30")
    assert door.central.counted("forks") == 0


async def test_an_envelope_keeps_its_sequence(door: Door) -> None:
    body = envelope(1, [event(1), event(2)])
    for _ in range(2):
        answer = await door.post(body, form="application/json")
        assert answer.document == {"instance": "builder", "accepted": 2}
    await eventually(lambda: door.central.counted("events_repeated") == 2)
    assert await scalar(door.central.engine, f"SELECT wm FROM watermarks WHERE epoch = '{EPOCH}'") == 2  # noqa: S608
    unnumbered = await door.post(envelope(1, [event(1)], epoch=POSTED_EPOCH), form="application/json")
    assert (unnumbered.status, unnumbered.code) == (422, "VALIDATION_ERROR")


async def test_nobody_speaks_without_a_token_or_for_another(door: Door) -> None:
    for headers in ({}, {"Authorization": "Bearer guessed"}, {"Authorization": "Basic of-the-builder"}):
        answer = await door.site.ask("POST", "/ingest", lines(1), Content_Type=LINES, **headers)
        assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    body = json.loads(envelope(1, [event(1)])) | {"source": {"instance_id": "tester"}}
    assert (await door.post(json.dumps(body).encode(), form="application/json")).document["instance"] == "builder"
    await door.holds("SELECT string_agg(DISTINCT instance, ' ') FROM observations", "builder")


async def test_what_makes_no_sense_is_refused_whole(door: Door) -> None:
    wrong, large = await door.post(lines(1) + b"\n{}"), await door.post(b" " * ((1 << 20) + 1))
    assert [(answer.status, answer.code) for answer in (wrong, large)] == [
        (422, "VALIDATION_ERROR"),
        (413, "INVALID_REQUEST"),
    ]
    assert wrong.document["error"]["details"] == {"event": "1"}
    stored = await door.central.bus.jetstream().stream_info(subjects.STREAM)
    assert stored.state.messages == 0


async def test_another_form_and_an_endless_key_are_refused(door: Door) -> None:
    assert (await door.post(lines(1), form="text/html")).status == 415
    assert (await door.post(lines(1), Idempotency_Key="k" * 300)).status == 400


async def test_while_too_much_waits_it_says_when_to_come_again(door: Door) -> None:
    hint = FlowHint.__struct_config__.tag
    said = {"type": hint, "timestamp": "2026-01-01T00:00:00Z", "state": "slow", "pending": 9000}
    async with plain_client(door.server.url) as client:
        await client.publish(subjects.FLOW, json.dumps(said | {"events_per_second": 1, "expires_seconds": 2}).encode())
        answer = await eventually(lambda: _refused(door), what="told to wait")
        assert answer is not None
        assert (answer.code, answer.headers["retry-after"]) == ("RATE_LIMITED", "5")
        await eventually(lambda: _taken(door), what="the hint runs out")


async def test_who_posts_too_often_is_told_to_wait(own_nats: OwnNats, make_database: MakeDatabase) -> None:
    server = own_nats()
    async with hub(server.url, make_database()) as central, door_to(central, server, per_second=0.5) as door:
        answers = [await door.post(lines(1), token="guessed") for _ in range(2)]
    assert [answer.status for answer in answers] == [401, 429]
    assert int(answers[1].headers["retry-after"]) >= 1


async def test_while_nats_is_away_it_says_so(door: Door) -> None:
    door.server.stop()
    answer = await door.post(lines(1))
    assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE")
    door.server.start()
    await eventually(lambda: _taken(door), 20, what="taken again")


async def _refused(door: Door) -> Answer | None:
    answer = await door.post(lines(1))
    return answer if answer.status == 429 else None


async def _taken(door: Door) -> Any:
    return (await door.post(lines(1))).status == 202
