"""The HTTP API of centralcloud served in a test, on a real database, and on a real NATS where one is given."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.config import CentralcloudSettings
from centralcloud.store import activity
from centralcloud.web.api import endpoints
from centralcloud.web.feed import Feed
from shared.bus import Bus
from shared.metrics import Metrics
from shared.notices import Notices
from shared.web.guard import Guard
from tests.support.databases import central_engine
from tests.support.http import Site, served
from tests.support.lifecycle import started
from tests.support.wait import eventually

_NOWHERE = "nats://127.0.0.1:1"


@dataclass
class Api:
    """A served API, and the database behind it."""

    site: Site
    engine: AsyncEngine
    feed: Feed

    async def get(self, path: str, status: int = 200) -> Any:
        """Ask for a path below /api/v1; what is answered, with the status that was expected."""
        answer = await self.site.get(f"/api/v1{path}")
        assert answer.status == status, answer.body
        return answer.document

    async def post(self, path: str, document: Any = None, status: int = 200) -> Any:
        """Have something done by a path below /api/v1."""
        answer = await self.site.post(f"/api/v1{path}", document)
        assert answer.status == status, answer.body
        return answer.document

    async def every(self, path: str, limit: int) -> list[Any]:
        """Read a list page by page."""
        sign = "&" if "?" in path else "?"
        items: list[Any] = []
        after: str | None = ""
        while after is not None:
            found = await self.get(f"{path}{sign}limit={limit}&after={after}")
            assert len(found["items"]) <= limit
            items += found["items"]
            after = found["next"]
        return items

    async def told(self, path: str, what: Callable[[dict[str, Any]], Any], wanted: list[Any]) -> list[Any]:
        """Wait until the items of a list are what is wanted of each: what is committed is in the feed soon after."""
        last: list[Any] = []

        async def check() -> bool:
            last[:] = (await self.get(path))["items"]
            return [what(one) for one in last] == wanted

        try:
            await eventually(check)
        except AssertionError as error:
            raise AssertionError(f"{path} stayed {[what(one) for one in last]}, wanted {wanted}") from error
        return last


@asynccontextmanager
async def api(database_url: str, nats_url: str = _NOWHERE, guard: Guard | None = None) -> AsyncIterator[Api]:
    """Serve everything; without a guard whoever asks is on this machine, and may change things."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(central_engine(database_url))
        bus = Bus([nats_url], client_name="web", inbox_prefix="_INBOX.centralcloud.web", metrics=Metrics())
        feed = Feed(engine)
        notices = Notices(engine)
        notices.on(activity.CHANNEL, feed.wake)
        await stack.enter_async_context(started(bus, notices, feed))
        if nats_url != _NOWHERE:
            await asyncio.wait_for(bus.connected.wait(), 10)
        table = endpoints(engine, bus, CentralcloudSettings(), feed)
        site = await stack.enter_async_context(served(*table, guard=guard or Guard(requests_per_second=10_000)))
        yield Api(site, engine, feed)


class Event(NamedTuple):
    """One server-sent event."""

    id: int
    kind: str
    data: dict[str, Any]


class Listener:
    """An open stream of events; each read waits in a thread."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._connection.request("GET", path, headers=headers)
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        self.headers = {name.lower(): value for name, value in self._answer.getheaders()}

    async def next(self) -> Event | None:
        """Read the next event; None when the stream has ended."""
        return await asyncio.to_thread(self._next)

    async def take(self, count: int) -> list[Event]:
        """Read so many events."""
        found = [await self.next() for _ in range(count)]
        return [one for one in found if one is not None]

    def close(self) -> None:
        """Go away at once."""
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _next(self) -> Event | None:
        fields: dict[str, str] = {}
        while line := self._answer.readline():
            said = line.decode().rstrip("\n")
            if not said and "data" in fields:
                return Event(int(fields["id"]), fields["event"], msgspec.json.decode(fields["data"]))
            name, _, value = said.partition(": ")
            fields[name] = value
        return None


@asynccontextmanager
async def listening(site: Site, query: str = "", last_seen: int | None = None) -> AsyncIterator[Listener]:
    """Open a stream of events."""
    headers = {} if last_seen is None else {"Last-Event-ID": str(last_seen)}
    listener = await asyncio.to_thread(Listener, site.port, f"/api/v1/events{query}", headers)
    try:
        yield listener
    finally:
        listener.close()
