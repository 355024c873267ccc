"""Streams nobody honest opens: of ids that are none, too many at once, not read, and left before they begin."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from centralcloud.store import activity
from centralcloud.store.activity import Happening
from centralcloud.web import feed as feeds
from shared.database import transaction
from shared.web import connection
from tests.support.api import Api, api, listening
from tests.support.hostile import TEXTS, VALUES
from tests.support.wait import eventually

STREAMS, STREAMS_CHAOS = 300, 10_000
AT_ONCE: Final = 8
OPENED: Final = 60
STREAMS_MAX: Final = 20
SECONDS_MAX: Final = 20
IDS: Final = ("1", "0", "007", "+1", " 1", "1 ", "1.0", "1e3", "-0", "٣", "0x10", "1_000", "true", "null", "1,2", "[1]")
SAID: Final = (*IDS, *TEXTS, *(json.dumps(one) for one in VALUES))


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Api]:
    async with api(database_url) as served:
        names = [f"i{number}" for number in range(10)]
        await _tell(served.engine, *names)
        await served.told("/activity", lambda one: one["instance"], names[::-1])
        yield served


async def _tell(engine: AsyncEngine, *names: str) -> None:
    async with transaction(engine) as connected:
        said = [Happening(tenant="default", kind="learned", instance=name, data={"events": 3}) for name in names]
        await activity.tell(connected, said)


@asynccontextmanager
async def opened(hub: Api, query: str = "", *further: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """Ask for a stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.site.port)
    head = [f"GET /api/v1/events{query} HTTP/1.1".encode(), b"Host: localhost", *further]
    writer.write(b"\r\n".join([*head, b"", b""]))
    try:
        yield reader
    finally:
        writer.transport.abort()


async def _status(reader: asyncio.StreamReader) -> int:
    return int((await asyncio.wait_for(reader.readline(), SECONDS_MAX)).split()[1])


def _asked(chance: random.Random) -> tuple[str, list[bytes]]:
    """A query and headers."""
    names = chance.choices(
        ("after", "replay", "tenant", "last-event-id", chance.choice(TEXTS)), k=chance.choice((1, 2))
    )
    told = [f"{_quoted(name)}={_quoted(chance.choice(SAID))}" for name in names]
    seen = chance.choice(SAID).encode("utf-8", "surrogatepass")
    clean = bytes(one for one in seen if one >= 32 or one == 9)[:4000].strip()
    return "?" + "&".join(told), [b"Last-Event-ID: " + clean] if chance.random() < 0.5 else []


def _quoted(word: str) -> str:
    return quote(word.encode("utf-8", "surrogatepass"), safe="")


async def survives(hub: Api, count: int, seed: int) -> None:
    """Ask for so many streams: each is opened, or refused for what was said."""
    chance = random.Random(seed)  # noqa: S311 - the same streams every time
    waiting = iter([_asked(chance) for _ in range(count)])
    statuses: Counter[int] = Counter()

    async def ask_on() -> None:
        for query, headers in waiting:
            async with opened(hub, query, *headers) as reader:
                statuses[await _status(reader)] += 1

    with capture_logs() as logs:
        await asyncio.gather(*(ask_on() for _ in range(AT_ONCE)))
        await eventually(lambda: hub.feed.open_streams == 0, what="all are closed")
    assert statuses.keys() == {200, 400}
    assert min(statuses.values()) > count // 50
    assert not [one for one in logs if one["log_level"] == "error"]


async def test_no_id_is_an_error_of_ours(hub: Api) -> None:
    await survives(hub, STREAMS, 1)


@pytest.mark.chaos
async def test_not_one_of_ten_thousand_is(hub: Api) -> None:
    await survives(hub, STREAMS_CHAOS, 2)


async def test_of_many_at_once_no_more_are_opened_than_there_may_be(hub: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "STREAMS_MAX", STREAMS_MAX)
    statuses: Counter[int] = Counter()

    async def hold(done: asyncio.Event) -> None:
        async with opened(hub) as reader:
            statuses[await _status(reader)] += 1
            await done.wait()

    done = asyncio.Event()
    holding = [asyncio.create_task(hold(done)) for _ in range(OPENED)]
    await eventually(lambda: statuses.total() == OPENED)
    assert statuses == {200: STREAMS_MAX, 503: OPENED - STREAMS_MAX}
    assert hub.feed.open_streams == STREAMS_MAX
    done.set()
    await asyncio.gather(*holding)
    await eventually(lambda: hub.feed.open_streams == 0)
    async with listening(hub.site, "?replay=1") as listener:
        assert await listener.next() is not None


async def test_who_leaves_at_once_leaves_nothing_behind(hub: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "STREAMS_MAX", STREAMS_MAX)
    with capture_logs() as logs:
        for _ in range(STREAMS_MAX * 3):
            async with opened(hub, "?after=0"):
                pass
        await eventually(lambda: hub.feed.open_streams == 0)
    assert not [one for one in logs if one["log_level"] == "error"]
    async with listening(hub.site, "?replay=1") as listener:
        assert await listener.next() is not None


async def test_a_look_at_the_head_opens_no_stream(hub: Api) -> None:
    answer = await hub.site.ask("HEAD", "/api/v1/events")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert hub.feed.open_streams == 0


async def test_who_reads_nothing_keeps_nobody_from_hearing_and_is_let_go(
    hub: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LOOK_SECONDS", 0.2)
    async with opened(hub) as deaf, listening(hub.site) as listener:
        assert await _status(deaf) == 200
        await eventually(lambda: hub.feed.open_streams == 2)
        for told in range(20):
            names = [f"{'x' * 4000}{told}-{number}" for number in range(100)]
            await _tell(hub.engine, *names)
            assert [one.data["instance"] for one in await listener.take(len(names))] == names
        await eventually(lambda: hub.feed.open_streams == 1, what="the deaf one is let go")
