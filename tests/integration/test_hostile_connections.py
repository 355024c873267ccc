"""Who asks by halves, reads nothing or goes away: let go in time, no bug of ours, and others are answered meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from shared.metrics import Metrics
from shared.web import asked, connection
from shared.web.application import application
from shared.web.endpoint import Access, Endpoint, Nothing, Raw
from shared.web.guard import Guard
from shared.web.server import WebServer
from tests.support.http import Site
from tests.support.lifecycle import started
from tests.support.mutations import mutated
from tests.support.wait import eventually

REQUESTS, REQUESTS_CHAOS = 300, 10_000
AT_ONCE: Final = 10
SECONDS_MAX: Final = 20
LARGE: Final = b"x" * (1 << 20)
HEAD: Final = b"Host: localhost\r\nContent-Type: application/json\r\n"
WHOLE: Final = (
    b"GET /told HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /told?a=1 HTTP/1.1\r\n" + HEAD + b"\r\nGET /told HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"POST /bytes HTTP/1.1\r\n" + HEAD + b"Content-Length: 2\r\n\r\n{}",
    b"POST /told HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"POST /told HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /told HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
)
HALVES: Final = {
    "nothing": b"",
    "half a head": b"GET /told HTTP/1.1\r\nHost: local",
    "half of a second head": WHOLE[0] + b"GET /told",
    "an answer and silence": WHOLE[0],
}
BODIES: Final = {
    "an endpoint": b"POST /told HTTP/1.1\r\n" + HEAD + b"Content-Length: 9\r\n\r\n{",
    "one that reads itself": b"POST /bytes HTTP/1.1\r\n" + HEAD + b"Content-Length: 9\r\n\r\n{",
    "chunks": b"POST /told HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
}


@dataclass
class Served:
    """A server, and what it counts."""

    server: WebServer
    site: Site
    metrics: Metrics

    def counted(self, path: str) -> dict[str, float]:
        """How many answers of a path had which status."""
        samples = [one for family in self.metrics.registry.collect() for one in family.samples]
        found = [one for one in samples if one.name == "flocklore_http_requests_total" and one.labels["route"] == path]
        return {one.labels["status"]: one.value for one in found}

    async def says(self, request: bytes) -> bytes:
        """Send bytes and read until the server closes."""
        async with self.opened(request) as (reader, _):
            return await asyncio.wait_for(reader.read(), SECONDS_MAX)

    @contextlib.asynccontextmanager
    async def opened(self, request: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Connect and send bytes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.site.port, limit=1024)
        writer.write(request)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def answers(self) -> None:
        """See that others are answered."""
        assert (await self.site.get("/told")).status == 200
        await eventually(lambda: self.server.connections == 0, what="nobody is connected")


async def told(_query: Nothing) -> dict[str, Any]:
    return {"a": 1}


async def size(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def large(_request: Request) -> Response:
    return Response(LARGE * 16)


async def endless(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield LARGE

    return StreamingResponse(pieces())


@pytest.fixture
async def here() -> AsyncIterator[Served]:
    metrics = Metrics()
    table: list[Endpoint | Raw] = [
        Endpoint("GET", "/told", Nothing, told, Any, "Told."),
        Endpoint("POST", "/told", Nothing, told, Any, "Told.", Access.WRITE, body_bytes_max=100),
        Raw("POST", "/bytes", size, "How many bytes.", Access.WRITE),
        Raw("GET", "/large", large, "Much."),
        Raw("GET", "/endless", endless, "Without end."),
    ]
    guard = Guard(requests_per_second=1_000_000)
    server = WebServer(application(table, guard, title="a test", metrics=metrics), "127.0.0.1", 0)
    async with started(server):
        yield Served(server, Site(server.port), metrics)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LOOK_SECONDS", 0.2)


@pytest.mark.parametrize("request_said", HALVES.values(), ids=HALVES)
async def test_who_asks_nothing_more_is_let_go(here: Served, impatient: None, request_said: bytes) -> None:
    said = await here.says(request_said)
    assert said.count(b"HTTP/1.1 200") == request_said.startswith(WHOLE[0])
    await here.answers()


@pytest.mark.parametrize("request_said", BODIES.values(), ids=BODIES)
async def test_a_body_that_does_not_come_is_not_waited_for(
    here: Served, monkeypatch: pytest.MonkeyPatch, request_said: bytes
) -> None:
    monkeypatch.setattr(asked, "BODY_SECONDS_MAX", 0.05)
    said = await here.says(request_said)
    assert said.startswith(b"HTTP/1.1 408")
    assert b'"code":"TIMEOUT"' in said
    await here.answers()


async def test_a_body_that_is_refused_is_not_listened_to_for_ever(here: Served, impatient: None) -> None:
    """Also by who goes on sending: it is not read as the next request either."""
    async with here.opened(BODIES["chunks"] + b"ff\r\n" + b" " * 255 + b"\r\n") as (reader, writer):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")

        async def closed() -> bool:
            writer.write(b"1\r\n \r\n")
            return here.server.connections == 0

        await eventually(closed)


@pytest.mark.parametrize("path", ["/large", "/endless"])
async def test_who_reads_nothing_is_let_go(here: Served, impatient: None, path: str) -> None:
    async with here.opened(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()):
        await eventually(lambda: here.counted(path) == {"200": 1})
        await eventually(lambda: here.server.connections == 0, what="let go")


async def test_who_reads_slowly_gets_everything(here: Served, impatient: None) -> None:
    """More slowly than we look, as long as something is read between."""
    async with here.opened(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") as (reader, _):
        began, looks, read = asyncio.get_running_loop().time(), 0, 0
        while piece := await reader.read(1 << 16):
            read += len(piece)
            looks += 1
            await _pass_until(began + looks * 0.005)
    assert read > 16 * len(LARGE)


async def _pass_until(moment: float) -> None:
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_at(moment, passed.set_result, None)
    await passed


@pytest.mark.parametrize("request_said", BODIES.values(), ids=BODIES)
async def test_who_goes_away_in_the_middle_is_no_error_of_ours(here: Served, request_said: bytes) -> None:
    path = request_said.split()[1].decode()
    async with here.opened(request_said):
        await eventually(lambda: here.server.connections == 1)
    await eventually(lambda: here.counted(path) == {"400": 1}, what="counted as what it was")
    await here.answers()


async def survives(here: Served, count: int, seed: int) -> None:
    """Send so many requests that went through mutations; none is an error of ours, and nobody stays."""
    chance = random.Random(seed)  # noqa: S311 - the same requests every time
    waiting = iter([mutated(WHOLE, chance)[:100_000] for _ in range(count)])
    statuses: set[bytes] = set()

    async def send_on() -> None:
        for request in waiting:
            async with here.opened(request) as (reader, writer):
                with contextlib.suppress(ConnectionError):  # what is closed on before all of it was read is reset
                    writer.write_eof()
                    statuses.add((await asyncio.wait_for(reader.readline(), SECONDS_MAX))[9:12])

    await asyncio.gather(*(send_on() for _ in range(AT_ONCE)))
    assert {b"200", b"400", b"404", b"405"} <= statuses
    assert not [one for one in statuses if one.startswith(b"5")]
    await here.answers()


async def test_broken_requests_are_refused(here: Served, impatient: None) -> None:
    await survives(here, REQUESTS, 1)


@pytest.mark.chaos
async def test_ten_thousand_broken_requests_are_refused(here: Served, impatient: None) -> None:
    await survives(here, REQUESTS_CHAOS, 2)
