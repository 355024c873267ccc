"""One trace from a job to the insight that follows from it, and its use by another instance."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from shared import tracing
from shared.errors import ConfigurationError
from shared.spans import EXPORT_SECONDS_MAX, LINKS_MAX, OtelSpans
from tests.support.daemons import Fleet
from tests.support.wait import eventually

SHARED = """
import contextlib
import os
import signal


def ask_to_stop(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(process.pid), signal.SIGHUP)
"""


@pytest.fixture
def made() -> Iterator[InMemorySpanExporter]:
    """The spans that have ended."""
    exporter = InMemorySpanExporter()
    with tracing.using(OtelSpans(SimpleSpanProcessor(exporter), "test", "all")):
        yield exporter


def ended(made: InMemorySpanExporter) -> dict[int, ReadableSpan]:
    """The spans that have ended, by id: what announces is still under way when others act on it."""
    return {span.context.span_id: span for span in made.get_finished_spans() if span.context}


def lineage(span: ReadableSpan, spans: dict[int, ReadableSpan]) -> list[str]:
    """Names of a span, of what it followed from, and so on."""
    names = [span.name]
    while span.parent is not None and span.parent.span_id in spans:
        span = spans[span.parent.span_id]
        names.append(span.name)
    return names


async def test_from_a_job_through_nats_to_insight_and_its_use(fleet: Fleet, made: InMemorySpanExporter) -> None:
    central, ann = await fleet.hub(schedules={"aggregate": "off"}), await fleet.member("ann", SHARED)
    await ann.shares()
    bob = await fleet.member("bob", SHARED)
    await bob.shares()

    def used() -> list[ReadableSpan]:
        return [span for span in made.get_finished_spans() if span.name == "apply insights"]

    def whole() -> list[ReadableSpan]:
        """Those of which everything they follow from has ended, too."""
        spans = ended(made)
        return [one for one in used() if lineage(one, spans)[-1] == "schedule pattern_mining"]

    def shared() -> bool:
        return max(Counter(span.context.trace_id for span in whole() if span.context).values(), default=0) >= 2

    await eventually(shared, 20, what="both instances use what follows from one job")
    assert await central.value("SELECT count(*) FROM insights") > 0
    for last in whole():
        names = lineage(last, ended(made))
        assert names[:4] == ["apply insights", "aggregate", "ingest", "publish"]
        assert names[4] in ("job study.publish", "job study.conclude")
        assert {name.partition(".")[0] for name in names[4:-1]} == {"job study"}


def test_spans_without_parents_are_where_they_are_made(made: InMemorySpanExporter) -> None:
    assert tracing.current() == ""
    with tracing.span("outer"):
        outer = tracing.current()
        with tracing.span("inner", parents=["", "no traceparent"], size=3):
            assert tracing.current().split("-")[1] == outer.split("-")[1]
    inner, _ = made.get_finished_spans()
    assert inner.parent is not None
    assert format(inner.parent.span_id, "016x") == outer.split("-")[2]
    assert inner.attributes == {"flocklore.size": 3}


def test_the_first_parent_is_followed_and_the_others_are_linked(made: InMemorySpanExporter) -> None:
    parents = [f"00-{number:032x}-{number:016x}-01" for number in range(1, LINKS_MAX + 10)]
    with tracing.span("elsewhere"), tracing.span("here", parents=[*parents, parents[0]], kind="consumer"):
        assert tracing.current().split("-")[1] == parents[0].split("-")[1]
    here, _ = made.get_finished_spans()
    assert [link.context.trace_id for link in here.links] == list(range(2, LINKS_MAX + 2))


def test_a_failure_is_told_without_its_words(made: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="secret"), tracing.span("fails"):
        raise ValueError("a secret")
    with pytest.raises(asyncio.CancelledError), tracing.span("is cancelled"):
        raise asyncio.CancelledError
    fails, cancelled = made.get_finished_spans()
    assert (fails.status.status_code, fails.status.description, fails.events) == (StatusCode.ERROR, "ValueError", ())
    assert cancelled.status.status_code is StatusCode.UNSET


def test_nothing_is_made_or_imported_unless_it_is_wanted() -> None:
    with tracing.exporting(None, "test", "one"), tracing.span("nothing"):
        assert tracing.current() == ""
    code = """
        import sys, centralcloud.daemon, instance.daemon
        assert not [name for name in sys.modules if name.startswith("opentelemetry") and "proto" not in name]
    """
    subprocess.run([sys.executable, "-c", "\n".join(line.strip() for line in code.splitlines())], check=True)


class Collector(BaseHTTPRequestHandler):
    """Keeps what is sent to it."""

    bodies: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_spans_are_sent_to_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Collector, "bodies", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}/v1/traces"
        with tracing.exporting(url, "instance", "ann"), tracing.span("outer"), tracing.span("inner"):
            pass
        server.shutdown()
    (body,) = Collector.bodies
    (sent,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert [span.name for scope in sent.scope_spans for span in scope.spans] == ["inner", "outer"]
    of = {one.key: one.value.string_value for one in sent.resource.attributes}
    assert of["service.name"] == "flocklore-instance"
    assert of["service.instance.id"] == "ann"


def test_a_collector_that_does_not_answer_holds_up_no_stop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1/traces"
        with tracing.exporting(url, "instance", "ann"), tracing.span("unheard"):
            ended = time.monotonic()
        assert time.monotonic() - ended < 2 * EXPORT_SECONDS_MAX


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "shared.spans", raising=False)
    monkeypatch.delattr("shared.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match=r"install flocklore\[otel\]"):
        tracing.exporting("http://127.0.0.1:1/v1/traces", "test", "one")
