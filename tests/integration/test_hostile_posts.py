"""What nobody honest posts: refused whole or taken whole, never an error of ours, and honest posts between are kept."""

from __future__ import annotations

import asyncio
import json
import resource
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import pytest
from nats.aio.client import Client

from centralcloud.web.ingest import HEADERS_BYTES_MAX, POSTS_AT_ONCE_MAX, Posts
from schemas import subjects
from schemas.envelope import POSTED_EPOCH
from shared.bus import Bus
from shared.embedded.nats import EmbeddedNats
from shared.metrics import Metrics
from shared.web.endpoint import BODY_BYTES_MAX
from tests.contract.golden import golden
from tests.support import hostile_posts
from tests.support.accounted import Message, all_acknowledged, lost
from tests.support.fleet import Hub, hub
from tests.support.hostile_posts import Post
from tests.support.http import Answer, Site, exchange, served
from tests.support.lifecycle import started
from tests.support.patterns import scalar
from tests.support.wait import eventually
from tests.support.wire import envelope, event, plain_client

POSTS, POSTS_CHAOS = 500, 10_000
HONEST_EVERY: Final = 10
AT_ONCE: Final = 8
MEMORY_MB_MAX: Final = 150
MORE: Final = 40
SECONDS_MAX: Final = 20

TOKENS: Final = {"mallory": "of-mallory", "honest": "of-the-honest"}
JSON: Final = "application/json"
REFUSED: Final = {400, 413, 415, 422}


class Door(NamedTuple):
    """Where posts are taken, and the hub behind it."""

    site: Site
    central: Hub
    client: Client

    async def post(self, body: bytes, name: str = "mallory", **headers: str) -> Answer:
        told = {"Content-Type": JSON, "Authorization": f"Bearer {TOKENS[name]}", **headers}
        return await asyncio.to_thread(exchange, self.site.port, "POST", "/ingest", body, told)

    async def stored(self) -> list[Message]:
        """Everything in the stream, in order."""
        jetstream = self.client.jetstream()
        last = (await jetstream.stream_info(subjects.STREAM)).state.last_seq
        found = [await jetstream.get_msg(subjects.STREAM, seq) for seq in range(1, last + 1)]
        return [Message(one.subject or "", one.data or b"", {}) for one in found]


@asynccontextmanager
async def _door(nats_url: str, database_url: str) -> AsyncIterator[Door]:
    async with hub(nats_url, database_url) as central, plain_client(nats_url) as client:
        bus = Bus([nats_url], client_name="web", inbox_prefix="_INBOX.centralcloud.web", metrics=Metrics())
        posts = Posts(central.engine, bus, TOKENS, "default", posts_per_second=100_000)
        async with started(bus), served(posts.endpoint()) as site:
            await eventually(bus.connected.is_set)
            await central.receives()
            yield Door(site, central, client)


@pytest.fixture
async def door(own_nats: Callable[[], EmbeddedNats], database_url: str) -> AsyncIterator[Door]:
    async with _door(own_nats().url, database_url) as opened:
        yield opened


async def ask_all(door: Door, many: Iterable[Post]) -> list[Answer]:
    """Post, some at a time; an honest post after some of the others."""
    answers: list[Answer] = []
    waiting = iter(enumerate(many))

    async def post_on() -> None:
        for number, post in waiting:
            answers.append(await door.post(post.body, **post.headers))
            if number % HONEST_EVERY == 0:
                answers.append(await door.post(event(number), "honest"))
                assert answers[-1].status == 202, answers[-1].body

    await asyncio.gather(*(post_on() for _ in range(AT_ONCE)))
    return answers


async def survives(door: Door, count: int, seed: int) -> None:
    """Post so much; what is accepted is what the stream has, and all of it arrives."""
    made = hostile_posts.Posts(seed)
    memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers = await ask_all(door, (made.make() for _ in range(count)))
    wrong = [one.body for one in answers if one.status not in REFUSED | {202}]
    assert not wrong, wrong[:5]
    assert {one.status for one in answers} >= REFUSED
    await all_acknowledged(door.client)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kb) / 1024
    stored = await door.stored()
    accepted = [one.document["accepted"] for one in answers if one.status == 202]
    assert sum(accepted) == sum(len(json.loads(one.body)["data"]["events"]) for one in stored)
    assert not [one.body[:300] for one in await lost(door.central.engine, stored)]
    assert len(accepted) > count // 5, Counter(one.status for one in answers)
    assert grown_mb < MEMORY_MB_MAX
    await _all_honest(door, count)


async def _all_honest(door: Door, count: int) -> None:
    honest = len(range(0, count, HONEST_EVERY))
    assert await scalar(door.central.engine, f"{_OBSERVED} WHERE instance = 'honest'") == honest
    posted = f"SELECT count(*) FROM dead_letters WHERE epoch = '{POSTED_EPOCH}'"  # noqa: S608
    assert await scalar(door.central.engine, posted) == 0, "what could not be taken in was told to who posted it"
    assert door.central.ingest.running


_OBSERVED: Final = "SELECT count(*) FROM observations"


async def test_every_hostile_post_is_refused_or_taken_whole(door: Door) -> None:
    await survives(door, POSTS, 1)


@pytest.mark.chaos
async def test_every_one_of_ten_thousand_posts_is(door: Door) -> None:
    await survives(door, POSTS_CHAOS, 2)


async def test_what_nats_would_never_take_is_refused_and_not_asked_for_again(door: Door) -> None:
    room = door.client.max_payload - HEADERS_BYTES_MAX
    assert (await door.post(_of_size(room))).status == 202
    for size in (room + 1, door.client.max_payload, BODY_BYTES_MAX):
        answer = await door.post(_of_size(size))
        assert (answer.status, answer.code) == (413, "INVALID_REQUEST")
    assert len(await door.stored()) == 1


def _of_size(size: int) -> bytes:
    told = json.loads(envelope(1, [event(1)])) | {"padding": ""}
    return json.dumps(told | {"padding": "x" * (size - len(json.dumps(told)))}).encode()


async def test_an_event_that_would_be_set_aside_is_refused_with_all_of_its_post(door: Door) -> None:
    result = json.loads(golden("job.result.learned.v1"))
    forged = json.loads(golden("code.pattern.learned.v1")) | {"template": "another"}
    result["sums"]["succeeded"] = result["sums"]["results"] + 1
    for wrong in (result, forged):
        body = event(1) + b"\n" + json.dumps(wrong).encode()
        answer = await door.post(body)
        assert (answer.status, answer.document["error"]["details"]) == (422, {"event": "1"})
    assert await door.stored() == []


async def test_many_large_posts_at_once_are_taken_a_few_at_a_time(door: Door) -> None:
    large = b" " * (BODY_BYTES_MAX - 2000) + event(1)
    memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    opened = [await asyncio.open_connection("127.0.0.1", door.site.port) for _ in range(POSTS_AT_ONCE_MAX + MORE)]
    answers = [asyncio.create_task(reader.readline()) for reader, _ in opened]
    try:
        for _, writer in opened:
            writer.write(_head(len(large)) + large[:-1])
        await eventually(lambda: sum(one.done() for one in answers) == MORE, what="those beyond are refused")
        assert (await door.post(event(2), "honest")).status == 202
        for _, writer in opened:
            writer.write(large[-1:])
        statuses = [(await asyncio.wait_for(one, SECONDS_MAX)).split()[1] for one in answers]
        assert Counter(statuses) == {b"202": POSTS_AT_ONCE_MAX, b"429": MORE}
    finally:
        for _, writer in opened:
            writer.close()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kb) / 1024 < MEMORY_MB_MAX


def _head(length: int) -> bytes:
    told = f"POST /ingest HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKENS['mallory']}\r\n"
    return f"{told}Content-Type: {JSON}\r\nContent-Length: {length}\r\n\r\n".encode()
