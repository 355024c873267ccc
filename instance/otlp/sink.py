"""Where programs of this machine send what they do: OTLP over HTTP, on the loopback interface alone.

A request is answered with success once what it told is committed, and with "again later" while the database is away:
exporters keep it and send it again, and what is sent again is counted once. Names, numbers and ids are kept; what a
person or a model wrote is not, wherever in a request it stands.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from instance.learning.prices import Prices
from instance.otlp import answers, emitters, json_form, posted, protobuf_form
from instance.otlp.answers import JSON, PROTOBUF
from instance.otlp.body import BYTES_MAX, RefusalError, unpacked
from instance.otlp.emitters import Read
from instance.otlp.entries import Signal
from instance.store import results
from instance.store.results import JobResult
from shared.database import transaction
from shared.errors import ContractError, TransientError
from shared.metrics import Metrics
from shared.web.endpoint import Access, Raw

log = structlog.get_logger(__name__)

REQUESTS_MAX: Final = 8
"""At a time: so many bodies fit into memory. Whoever comes then is told to come again."""

COMMIT_SECONDS_MAX: Final = 5.0
"""Exporters wait for ten."""

Take = Callable[[Request], Awaitable[Response]]

_SUMMARIES: Final = {
    "/v1/logs": "Log records of programs, in OpenTelemetry's form.",
    "/v1/traces": "Spans of programs, in OpenTelemetry's form.",
    "/v1/metrics": "Metrics of programs, in OpenTelemetry's form; nothing is made of them.",
    "/ingest": "Results of work, one JSON object a line.",
}
_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_DECODERS: Final = {JSON: json_form.decode, PROTOBUF: protobuf_form.decode}
_LINES: Final = frozenset({JSON, "application/x-ndjson", "application/jsonl"})


class Sink:
    """Takes export requests and posted results into the database; `application` is what a server serves."""

    def __init__(self, engine: AsyncEngine, prices: Prices, metrics: Metrics | None = None) -> None:
        self._engine = engine
        self._metrics = metrics or Metrics()
        self._prices = prices
        self._taking = 0
        self._reading = asyncio.Lock()  # one at a time: what is made of a body is many times its size
        self._takes = {
            "/v1/logs": self._take_logs,
            "/v1/traces": self._take_traces,
            "/v1/metrics": self._take_metrics,
            "/ingest": self._take_lines,
        }
        routes = [Route(path, self._answering(_local(take)), methods=["POST"]) for path, take in self._takes.items()]
        self.application = Starlette(routes=routes)

    def endpoints(self) -> list[Raw]:
        """The same for an application that knows whom to admit."""
        above = 2 * BYTES_MAX  # so that what is too large is refused here, as exporters understand it
        return [
            Raw(
                "POST", path, self._answering(take), _SUMMARIES[path],
                access=Access.WRITE, body_bytes_max=above, tells_problems=False,
            )
            for path, take in self._takes.items()
        ]  # fmt: skip

    def _answering(self, take: Take) -> Take:
        """Turn what went wrong into the answer an exporter understands."""

        async def answer(request: Request) -> Response:
            try:
                return await self._limited(take, request)
            except ContractError as error:
                return answers.refused(_form(request), RefusalError(400, str(error)))
            except (TransientError, TimeoutError):
                return answers.refused(_form(request), RefusalError(503, "the database is away; send it again"))
            except asyncio.CancelledError:  # the server stops and waits for nobody
                return answers.refused(_form(request), RefusalError(503, "going down; send it again"))
            except RefusalError as refusal:
                return answers.refused(_form(request), refusal)
            except Exception as error:  # noqa: BLE001 - an exporter must not stop for a bug of ours
                _report(error)
                return answers.refused(_form(request), RefusalError(500, "this should not have happened"))

        return answer

    async def _limited(self, take: Take, request: Request) -> Response:
        if self._taking >= REQUESTS_MAX:
            raise RefusalError(503, f"{REQUESTS_MAX} requests are being read; send it again")
        self._taking += 1
        try:
            return await take(request)
        finally:
            self._taking -= 1

    async def _take_logs(self, request: Request) -> Response:
        return await self._take("logs", request)

    async def _take_traces(self, request: Request) -> Response:
        return await self._take("traces", request)

    async def _take_metrics(self, request: Request) -> Response:
        """Metrics are sums of what logs and spans tell one by one: they are taken, and nothing is made of them."""
        return await self._take("metrics", request)

    async def _take(self, signal: Signal, request: Request) -> Response:
        form = _form(request)
        if form not in _DECODERS:
            raise RefusalError(415, f"the body must be {JSON} or {PROTOBUF}")
        body = await unpacked(request)
        async with self._reading:
            found = await asyncio.to_thread(self._read, signal, form, body)
        await self._record(found.results)
        if found.rejected:
            self._metrics.sink_rejected.inc(found.rejected)
            log.info("requests a program told of make no sense", signal=signal, count=found.rejected)
        return answers.taken(signal, form, found.rejected, found.why)

    def _read(self, signal: Signal, form: str, body: bytes) -> Read:
        return emitters.read(signal, _DECODERS[form](signal, body), self._prices, datetime.now(UTC))

    async def _take_lines(self, request: Request) -> Response:
        if _form(request) not in _LINES:
            raise RefusalError(415, f"the body must be lines of JSON, {JSON}")
        told = await asyncio.to_thread(posted.read, await unpacked(request), self._prices, datetime.now(UTC))
        self._metrics.sink_rejected.inc(told.faults.count)
        if told.faults.count and not told.results:
            raise RefusalError(400, told.faults.named[0])
        new = await self._record(told.results)
        return answers.json({"results": len(told.results), "new": new, "faults": told.faults.named})

    async def _record(self, many: list[JobResult]) -> int:
        if not many:
            return 0
        async with asyncio.timeout(COMMIT_SECONDS_MAX), transaction(self._engine) as connection:
            new = await results.record_many(connection, many)
        self._metrics.sink_results.inc(new)
        return new


def _form(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _local(take: Take) -> Take:
    """Refuse what a web page sends here under a name of its own that it has pointed at this machine."""

    async def taken(request: Request) -> Response:
        host = request.headers.get("host", "")
        name, colon, port = host.rpartition(":")
        if (name if colon and port.isdigit() else host).lower() not in _HOSTS:
            raise RefusalError(421, "this answers on 127.0.0.1 and localhost only")
        return await take(request)

    return taken


def _report(error: Exception) -> None:
    """Say where a bug is, without what was being read: a log is no place for it either."""
    where = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("a request could not be answered; please report it", error=type(error).__name__, where=where[-5:])
