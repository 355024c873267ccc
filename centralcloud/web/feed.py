"""The feed: what happens, as it happens, as server-sent events that can be resumed.

One task of a process numbers what was committed, reads it once, and hands it to every open stream. A stream has room
for so much; who does not keep up is let go, and resumes by the id it has seen last. What happened before a stream was
opened, or while it was away, is read from the database, page by page.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Final

import msgspec
import structlog
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from centralcloud.store import activity
from centralcloud.store.activity import Happened
from centralcloud.store.tenancy import of_tenant
from centralcloud.web.reader import Reader
from schemas.names import DEFAULT_TENANT, Count, Name
from schemas.replies import ErrorCode
from shared.database import transaction
from shared.errors import TransientError, UnreachableError, UsageError
from shared.service import Service
from shared.web.asked import TENANT, bound
from shared.web.endpoint import Access, Raw
from shared.web.refusal import RefusedError

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 5.0
"""Looks without having been told, in case a notice was lost."""

GATHER_SECONDS: Final = 0.1
"""What is told within this time is read together."""

RETRY_MS: Final = 2_000

STREAMS_MAX: Final = 200
READY_SECONDS_MAX: Final = 4.0
READ_MAX: Final = 500
REPLAY_MAX: Final = 200

EVENT_STREAM: Final = "text/event-stream"
_COMMENT: Final = b": still here\n\n"


class EventsAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where: after an id, or with the last `replay` events first; neither: from now on."""

    tenant: Name = DEFAULT_TENANT
    after: Count | None = None
    replay: Annotated[int, Meta(ge=0, le=REPLAY_MAX)] = 0


class Feed(Service):
    """Numbers what happened and hands it to open streams; several processes may do so on one database."""

    name = "feed"

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__()
        self._engine = engine
        self._told = asyncio.Event()
        self._ready = asyncio.Event()
        self._readers: set[Reader] = set()
        self._place: int | None = None

    @property
    def open_streams(self) -> int:
        """How many listen."""
        return len(self._readers)

    def wake(self, _payload: str = "") -> None:
        """Say that something happened."""
        self._told.set()

    def endpoint(self) -> Raw:
        """The stream, for the table of endpoints."""
        summary = "What happens, as server-sent events; resumes after Last-Event-ID."
        return Raw(
            "GET", "/api/v1/events", self.answer, summary, access=Access.READ, media=EVENT_STREAM, of_tenants=True
        )

    async def run(self) -> None:
        """Number, read, hand on; a database that is away is waited for."""
        while True:
            self._told.clear()
            try:
                await self._catch_up()
            except TransientError as error:
                log.debug("nothing is told for a moment", reason=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), POLL_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)

    async def answer(self, request: Request) -> Response:
        """Open a stream; who wants to see the head of it alone gets that."""
        query = _read(request)
        if request.method == "HEAD":
            return Response(media_type=EVENT_STREAM)
        if len(self._readers) >= STREAMS_MAX:
            raise RefusedError(
                503, ErrorCode.SERVICE_UNAVAILABLE, "too many streams are open here", retry_after_seconds=10
            )
        reader = Reader(query.tenant, hears_hubs=request.scope.get(TENANT) is None)
        self._readers.add(reader)  # before anything is waited for: of many at once all would find room
        try:
            after = await self._begin(query, reader)
        except BaseException:
            self._readers.discard(reader)
            raise
        events = self._events(reader, after, request.app.state.closing)
        return _Stream(events, lambda: self._readers.discard(reader))

    async def _catch_up(self) -> None:
        """Place everything there is, then read on from where this process has read to."""
        placed = activity.PLACED_MAX
        while placed == activity.PLACED_MAX:
            async with transaction(self._engine) as connection:
                placed = await activity.place_all(connection)
        while await self._read_on():
            pass

    async def _read_on(self) -> bool:
        """Hand on the next of what happened; False when that was all.

        Without a stream nothing is read. One that is opened while we look for where we are reads up to some place
        itself, later than we had read before: so we stay there, and it sees some twice rather than none.
        """
        async with transaction(self._engine) as connection:
            last = await activity.last_place(connection)
            if not self._readers or self._place is None:
                self._place = last
                self._ready.set()
                return False
            happened = await activity.after(connection, min(self._place, last), READ_MAX)
        for one in happened:
            self._place = one.place
            for reader in self._readers:
                reader.take(one)
        return len(happened) == READ_MAX

    async def _begin(self, query: EventsAsked, reader: Reader) -> int:
        """Find the place to begin after; raises `UnreachableError` while this process has not found its own."""
        try:
            await asyncio.wait_for(self._ready.wait(), READY_SECONDS_MAX)
        except TimeoutError as error:
            raise UnreachableError("the feed has not begun; try again") from error
        async with self._seen_by(reader) as connection:
            last = await activity.last_place(connection)
            if query.after is not None:
                return min(query.after, last)  # after a restore the places there were are given once more
            if query.replay:
                return await activity.place_before_last(connection, query.tenant, query.replay) or 0
            return last

    async def _events(self, reader: Reader, place: int, closing: asyncio.Event) -> AsyncIterator[bytes]:
        """Write what was missed, then what comes; what comes meanwhile waits, and is not written twice."""
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            async for one in self._missed(reader, place):
                place = one.place
                yield _written(one)
            async for come in reader.coming(closing):
                if come is None:
                    yield _COMMENT
                elif come.place > place:
                    place = come.place
                    yield _written(come)
        except TransientError as error:
            log.debug("a stream ends early; it will be resumed", reason=str(error))

    async def _missed(self, reader: Reader, place: int) -> AsyncIterator[Happened]:
        while True:
            async with self._seen_by(reader) as connection:
                found = await activity.after(connection, place, READ_MAX, tenant=reader.tenant)
            for one in found:
                place = one.place
                yield one
            if len(found) < READ_MAX:
                return

    def _seen_by(self, reader: Reader) -> AbstractAsyncContextManager[AsyncConnection]:
        """Begin a transaction that sees what this one may hear."""
        return transaction(self._engine) if reader.hears_hubs else of_tenant(self._engine, reader.tenant)


class _Stream(StreamingResponse):
    """Says when it has ended, also when whoever asked was gone before it began."""

    def __init__(self, events: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        super().__init__(events, media_type=EVENT_STREAM, headers={"x-accel-buffering": "no"})
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()


def _written(one: Happened) -> bytes:
    data = msgspec.json.encode({"at": one.at, "tenant": one.tenant, "instance": one.instance, **one.data})
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (one.place, one.kind.encode(), data)


def _read(request: Request) -> EventsAsked:
    """Read what is asked; the id a browser has seen last goes before `after`, which stays in its address."""
    told: dict[str, Any] = dict(request.query_params)
    if seen := request.headers.get("last-event-id"):
        told["after"] = seen
    try:
        return msgspec.convert(bound(request.scope, told), EventsAsked, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"{error}; ids are numbers") from error
