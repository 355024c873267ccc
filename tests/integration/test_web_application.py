"""The kernel over real HTTP: reading, refusing, limits, streams, stopping."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct
from sqlalchemy import text
from sqlalchemy.exc import InternalError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from schemas.replies import ErrorCode
from shared.database import connect_engine
from shared.errors import AlreadyRunningError, NotFoundError, UnreachableError, UsageError
from shared.web import endpoint as endpoints
from shared.web.application import application
from shared.web.endpoint import JSON, Access, Endpoint, Nothing, Raw, Reply, reading, writing
from shared.web.guard import Guard
from shared.web.refusal import RefusedError
from shared.web.server import WebServer
from tests.support.http import Site, served
from tests.support.lifecycle import started
from tests.support.wait import eventually


class Asked(Struct, frozen=True):
    name: str = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    state: list[str] = []
    on: bool | None = None


async def told(query: Any) -> Any:
    return query


ERRORS = {
    "usage": (UsageError("so not"), 400, "INVALID_REQUEST"),
    "missing": (NotFoundError("no such thing"), 404, "NOT_FOUND"),
    "held": (AlreadyRunningError("somebody has it"), 409, "CONFLICT"),
    "away": (UnreachableError("postgresql://me@secret-host does not answer"), 503, "SERVICE_UNAVAILABLE"),
    "late": (TimeoutError(), 504, "TIMEOUT"),
    "bug": (ValueError("the secret password"), 500, "INTERNAL_ERROR"),
    "other": (RefusedError(429, ErrorCode.RATE_LIMITED, "later", retry_after_seconds=7), 429, "RATE_LIMITED"),
}


def failing(name: str) -> Endpoint:
    async def answer(_query: Nothing) -> None:
        raise ERRORS[name][0]

    return Endpoint("GET", f"/{name}", Nothing, answer, None, "Fails.")


async def page(_request: Request) -> Response:
    return PlainTextResponse("a page", headers={"content-security-policy": "script-src 'self'"})


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async def teapot(_query: Nothing) -> Reply:
        return Reply({"short": True}, 418, {"x-spout": "yes"})

    async def sized(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    table: list[Endpoint | Raw] = [
        Endpoint("GET", "/things", Asked, told, Asked, "Things."),
        Endpoint("GET", "/things/{name}", Asked, told, Asked, "A thing."),
        Endpoint("POST", "/things", Asked, told, Asked, "Make one.", Access.WRITE, 201, body_bytes_max=100),
        Endpoint("POST", "/things/{name}/go", Asked, told, Asked, "Let it go.", Access.WRITE),
        Endpoint("GET", "/teapot", Nothing, teapot, Any, "A teapot."),
        Raw("POST", "/raw", sized, "Bytes.", Access.WRITE, body_bytes_max=1000),
        *map(failing, ERRORS),
    ]
    async with served(*table, extra=[Route("/page", page)]) as site:
        yield site


async def test_a_path_a_query_and_a_body_become_one_struct(site: Site) -> None:
    assert (await site.get("/things")).document == {"name": "", "limit": 50, "state": [], "on": None}
    asked = await site.get("/things/a%2Fb%20c?limit=7&state=x&state=y&on=true")
    assert asked.status == 404, "a slash divides, written in whatever way"
    asked = await site.get("/things/b%20%C3%A4?limit=7&state=x&state=y&on=true")
    assert asked.document == {"name": "b ä", "limit": 7, "state": ["x", "y"], "on": True}
    made = await site.post("/things?limit=9", {"name": "new", "state": ["x"]})
    assert (made.status, made.document["name"], made.document["limit"]) == (201, "new", 9)
    assert (await site.post("/things/new/go")).document["name"] == "new"
    teapot = await site.get("/teapot")
    assert (teapot.status, teapot.headers["x-spout"]) == (418, "yes")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/things?limit=0", 422, "VALIDATION_ERROR"),
        ("/things?limit=many", 422, "VALIDATION_ERROR"),
        ("/things?colour=red", 422, "VALIDATION_ERROR"),
        ("/things?limit=1&limit=2", 400, "INVALID_REQUEST"),
        ("/things/a?name=b", 400, "INVALID_REQUEST"),
        ("/things?name=%ff", 400, "INVALID_REQUEST"),
        ("/things?" + "&".join(["state=x"] * 101), 400, "INVALID_REQUEST"),
        ("/nowhere", 404, "NOT_FOUND"),
    ],
)
async def test_what_is_asked_wrongly_is_refused_by_its_code(site: Site, path: str, status: int, code: str) -> None:
    answer = await site.get(path)
    assert (answer.status, answer.code) == (status, code)
    assert answer.document["error"]["message"]


@pytest.mark.parametrize(
    ("body", "form", "status"),
    [
        (b"{", JSON, 400),
        (b"[]", JSON, 400),
        (b"[" * 50, JSON, 400),
        (b'{"name": 1}', JSON, 422),
        (b'{"name": "a", "nam": 1}', JSON, 422),
        (b'{"name": "a"}', "text/plain", 415),
        (b'{"name": "a"}', "application/x-www-form-urlencoded", 415),
        (b'{"name": "' + b"a" * 100 + b'"}', JSON, 413),
        (b'{"name": "a"}', "application/json; charset=utf-8", 201),
        (b"", "text/plain", 201),
    ],
)
async def test_a_body_is_json_of_the_right_form_and_size(site: Site, body: bytes, form: str, status: int) -> None:
    answer = await site.ask("POST", "/things", body, Content_Type=form)
    assert answer.status == status


async def test_a_body_that_does_not_say_how_large_it_is_is_limited_too(site: Site) -> None:
    for path in ("/things", "/raw"):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode() + b"7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n")
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 413")
        writer.close()
    assert (await site.ask("POST", "/raw", b"x" * 1001)).status == 413
    assert (await site.ask("POST", "/raw", b"x" * 1000)).body == b"1000"


@pytest.mark.parametrize("name", ERRORS)
async def test_an_error_is_told_by_its_code_and_without_our_secrets(site: Site, name: str) -> None:
    _, status, code = ERRORS[name]
    answer = await site.get(f"/{name}")
    assert (answer.status, answer.code) == (status, code)
    assert answer.document["error"]["retryable"] == (code not in ("INVALID_REQUEST", "NOT_FOUND", "CONFLICT"))
    assert b"secret" not in answer.body
    again = {"other": "7", "away": "2", "late": "2"}.get(name)
    assert answer.headers.get("retry-after") == again


async def test_other_methods_are_refused_and_said(site: Site) -> None:
    answer = await site.ask("DELETE", "/things")
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "INVALID_REQUEST", "GET, HEAD, POST")
    head = await site.ask("HEAD", "/things")
    assert (head.status, head.body) == (200, b"")
    preflight = await site.ask("OPTIONS", "/things", b"", Origin="https://evil.example")
    assert preflight.status == 405


async def test_every_answer_keeps_browsers_careful_and_invites_no_other_site(site: Site) -> None:
    for path in ("/things", "/nowhere", "/bug", "/page"):
        answer = await site.get(path, Origin="https://evil.example")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "server" not in answer.headers
    assert (await site.get("/things")).headers["content-security-policy"].startswith("default-src 'none'")
    assert (await site.get("/page")).headers["content-security-policy"] == "script-src 'self'"
    assert (await site.get("/page", Host="evil.example")).status == 421


async def test_tokens_over_http() -> None:
    table = [
        Endpoint("GET", "/read", Nothing, told, Any, "Read."),
        Endpoint("POST", "/write", Nothing, told, Any, "Write.", Access.WRITE),
        Endpoint("GET", "/open", Nothing, told, Any, "Open.", Access.OPEN),
    ]
    async with served(*table, guard=Guard(token="all", read_token="some")) as site:
        assert (await site.get("/open")).status == 200
        refused = await site.get("/read")
        assert (refused.status, refused.code, refused.headers["www-authenticate"]) == (401, "UNAUTHORIZED", "Bearer")
        assert (await site.get("/read", Authorization="Bearer some")).status == 200
        assert (await site.post("/write", Authorization="Bearer some")).status == 403
        assert (await site.post("/write", Authorization="Bearer all")).status == 200


async def test_who_asks_too_often_waits() -> None:
    async with served(Endpoint("GET", "/", Nothing, told, Any, ""), guard=Guard(requests_per_second=0.5)) as site:
        assert (await site.get("/")).status == 200
        later = await site.get("/")
        assert (later.status, later.code, later.headers["retry-after"]) == (429, "RATE_LIMITED", "2")


async def test_an_answer_that_takes_too_long_is_given_up() -> None:
    async def never(_query: Nothing) -> None:
        await asyncio.Event().wait()

    async with served(Endpoint("GET", "/", Nothing, never, None, "", seconds_max=0.05)) as site:
        assert ((answer := await site.get("/")).status, answer.code) == (504, "TIMEOUT")


async def test_a_transaction_that_reads_cannot_change_and_one_that_changes_is_committed_first(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = connect_engine(database_url, application="test")
    try:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE things (name text)"))

        async def add(connection: AsyncConnection, query: Asked) -> Asked:
            await connection.execute(text("INSERT INTO things VALUES (:name)"), {"name": query.name})
            return query

        async def count(connection: AsyncConnection, _query: Asked) -> int:
            return int((await connection.execute(text("SELECT count(*) FROM things"))).scalar_one())

        async def sleep(connection: AsyncConnection, _query: Asked) -> None:
            await connection.execute(text("SELECT pg_sleep(20)"))

        with pytest.raises(InternalError, match="read-only transaction"):
            await reading(engine, add)(Asked(name="a"))
        await writing(engine, add)(Asked(name="a"))
        assert await reading(engine, count)(Asked()) == 1
        await writing(engine, add)(Asked(name="b"))
        assert await reading(engine, count)(Asked()) == 2
        monkeypatch.setattr(endpoints, "TRANSACTION_SECONDS_MAX", 0.05)
        with pytest.raises(TimeoutError):
            await reading(engine, sleep)(Asked())
    finally:
        await engine.dispose()


async def test_a_stop_takes_less_than_a_second_though_streams_are_open() -> None:
    async def follow(request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            yield b": here\n\n"
            await request.app.state.closing.wait()

        return StreamingResponse(events(), media_type="text/event-stream")

    async def ignorant(_request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            yield b": here\n\n"
            await asyncio.Event().wait()

        return StreamingResponse(events(), media_type="text/event-stream")

    table = [Raw("GET", "/follow", follow, ""), Raw("GET", "/ignorant", ignorant, "")]
    shown = application(table, Guard(), title="a test")
    server = WebServer(shown, "127.0.0.1", 0)
    await server.start()
    opened = [await _stream(server.port, path) for path in ("/follow", "/follow", "/ignorant")]
    await eventually(lambda: shown.state.streams == 3)
    assert server.connections == 3
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 1.0
    assert shown.state.streams == 0
    for reader, writer in opened:
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()


async def _stream(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await asyncio.wait_for(reader.readuntil(b": here"), 5)
    return reader, writer


async def test_a_port_that_is_taken_is_said_and_left_alone() -> None:
    async with served(Endpoint("GET", "/", Nothing, told, Any, "")) as site:
        second = WebServer(application([], Guard(), title="second"), "127.0.0.1", site.port)
        with pytest.raises(AlreadyRunningError, match=f"http_port: port {site.port} .* is taken"):
            await second.start()
        assert (await site.get("/")).status == 200
        patient = WebServer(application([], Guard(), title="patient"), "127.0.0.1", site.port, waits=True)
        async with started(patient):
            assert patient.running
