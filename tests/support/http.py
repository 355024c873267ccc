"""Asking over real HTTP, from a thread, so that the server in the test's own loop can answer."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from starlette.routing import BaseRoute

from shared.web.application import application
from shared.web.endpoint import JSON, Endpoint, Raw
from shared.web.guard import Guard
from shared.web.server import WebServer
from tests.support.lifecycle import started

_SECONDS_MAX = 20


class Answer(NamedTuple):
    """What a server answered; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.document["error"]["code"])


class Site(NamedTuple):
    """Whatever listens on a port of this machine."""

    port: int

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, b"", **headers)

    async def post(self, path: str, document: Any = None, **headers: str) -> Answer:
        body = b"" if document is None else msgspec.json.encode(document)
        return await self.ask("POST", path, body, **({"Content_Type": JSON} | headers))

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return await asyncio.to_thread(exchange, self.port, method, path, body, told)


def exchange(port: int, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Ask and wait for the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS_MAX)
    try:
        connection.request(method, path, body or None, dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@asynccontextmanager
async def served(
    *endpoints: Endpoint | Raw, guard: Guard | None = None, extra: Sequence[BaseRoute] = ()
) -> AsyncIterator[Site]:
    """Serve endpoints on a free port for the length of a block."""
    shown = application(endpoints, guard or Guard(), title="a test", extra=extra)
    server = WebServer(shown, "127.0.0.1", 0)
    async with started(server):
        yield Site(server.port)
