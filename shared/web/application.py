"""From a table of endpoints to an application that can be served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Final

import msgspec
from prometheus_client import Counter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.replies import ErrorCode
from shared.errors import UnreachableError
from shared.metrics import Metrics
from shared.web import refusal
from shared.web.asked import TENANT, Reader, check_length, limited, timely
from shared.web.endpoint import JSON, Access, Endpoint, Raw, Reply
from shared.web.guard import Guard
from shared.web.openapi import described
from shared.web.refusal import RefusedError
from shared.web.table import Placed, Table

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
"""Of every response that does not say otherwise. There is no CORS: pages of other sites read nothing here."""

_HEADERS: Final = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_CODES: Final = {404: ErrorCode.NOT_FOUND}
_WITH_BODY: Final = frozenset({"POST", "PUT"})


def application(
    endpoints: Sequence[Endpoint | Raw],
    guard: Guard,
    *,
    title: str,
    extra: Sequence[BaseRoute] = (),
    metrics: Metrics | None = None,
    has_started: Callable[[], bool] = lambda: True,
) -> Starlette:
    """Make an application of endpoints, which describes itself at `/openapi.json`; `extra` routes are open to all.

    Before what they need `has_started`, endpoints that are not open to all are answered 503.

    A server that stops sets `application.state.closing`, an `asyncio.Event`; streams end when it is set.
    """
    table = [*endpoints, _description(endpoints, title)]
    counted = metrics or Metrics()
    placed = Table(Placed(one.method, one.path, _Handler(one, guard, counted, has_started)) for one in table)
    made = Starlette(
        routes=[placed, *extra],
        middleware=[Middleware(_Gate, guard=guard)],
        exception_handlers={HTTPException: _refuse_route, Exception: _refuse_bug},
    )
    made.state.closing = asyncio.Event()
    made.state.streams = 0
    counted.http_streams.set_function(lambda: made.state.streams)
    return made


class _Gate:
    """Before everything: the host it was asked for; after everything: headers that keep browsers careful."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                message["headers"] += [header for header in _HEADERS if header[0] not in said]
            await send(message)

        try:
            self._guard.check_host(scope)
        except RefusedError as refused:
            await refusal.response(refused)(scope, receive, careful)
            return
        await self._app(scope, receive, careful)


class _Handler:
    """Serves an endpoint: admit, answer, count; whatever goes wrong until then is told to whoever asked."""

    def __init__(
        self, endpoint: Endpoint | Raw, guard: Guard, metrics: Metrics, has_started: Callable[[], bool]
    ) -> None:
        self._endpoint = endpoint
        self._guard = guard
        self._metrics = metrics
        self._has_started = has_started
        self._counters: dict[int, Counter] = {}
        self._seconds = metrics.http_seconds.labels(endpoint.path)
        self._respond = _answering(endpoint) if isinstance(endpoint, Endpoint) else _passing(endpoint)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        response = await self._response(scope, receive)
        self._seconds.observe(time.perf_counter() - began)
        self._count(response.status_code)
        if not isinstance(response, StreamingResponse):
            await response(scope, receive, send)
            return
        state = scope["app"].state
        state.streams += 1
        try:
            await response(scope, receive, send)
        finally:
            state.streams -= 1

    def _count(self, status: int) -> None:
        counter = self._counters.get(status)
        if counter is None:
            counter = self._metrics.http_requests.labels(self._endpoint.method, self._endpoint.path, status)
            self._counters[status] = counter
        counter.inc()

    async def _response(self, scope: Scope, receive: Receive) -> Response:
        try:
            scope[TENANT] = self._guard.admit(scope, self._endpoint.access, of_tenants=self._endpoint.of_tenants)
            if self._endpoint.access is not Access.OPEN and not self._has_started():
                raise UnreachableError("starting; ask again")  # noqa: TRY301 - as if the database did not answer
            return await self._respond(scope, receive)
        except asyncio.CancelledError:  # the server stops, and waits no longer
            return refusal.response(refusal.of(UnreachableError("going down; ask again")))
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            return refusal.response(refusal.of(error))


Respond = Callable[[Scope, Receive], Awaitable[Response]]


def _answering(endpoint: Endpoint) -> Respond:
    """Read a struct, write what is made of it."""
    reader = Reader(endpoint.query, has_body=endpoint.method in _WITH_BODY, bytes_max=endpoint.body_bytes_max)

    async def respond(scope: Scope, receive: Receive) -> Response:
        query = await reader.read(scope, receive)
        answer = endpoint.answer if scope[TENANT] is None else endpoint.tenant_answer or endpoint.answer
        async with asyncio.timeout(endpoint.seconds_max):
            value = await answer(query)
        status, headers = endpoint.status, None
        if isinstance(value, Reply):
            value, status, headers = value
        return Response(msgspec.json.encode(value), status, headers, JSON)

    return respond


def _passing(endpoint: Raw) -> Respond:
    """Let it read and write itself, a body no larger than it may be; one that tells of problems itself sees to time."""

    async def respond(scope: Scope, receive: Receive) -> Response:
        check_length(scope, endpoint.body_bytes_max)
        received = limited(receive, endpoint.body_bytes_max)
        return await endpoint.answer(Request(scope, timely(received) if endpoint.tells_problems else received))

    return respond


def _description(endpoints: Sequence[Endpoint | Raw], title: str) -> Raw:
    @cache
    def written() -> bytes:
        return msgspec.json.encode(described(endpoints, title))

    async def answer(_request: Request) -> Response:
        return Response(written(), media_type=JSON)

    return Raw("GET", "/openapi.json", answer, "This description, as OpenAPI 3.1.", access=Access.OPEN)


async def _refuse_route(_request: Request, error: Exception) -> Response:
    """There is no such path, or not with this method."""
    status, headers = getattr(error, "status_code", 500), getattr(error, "headers", None)
    code = _CODES.get(status, ErrorCode.INVALID_REQUEST)
    message = getattr(error, "detail", "") or "there is nothing here"
    return refusal.response(RefusedError(status, code, message, headers=headers))


async def _refuse_bug(_request: Request, error: Exception) -> Response:
    return refusal.response(refusal.of(error))
