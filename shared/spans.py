"""Spans by the SDK of OpenTelemetry; imported only where spans are wanted (`shared.tracing`).

They carry names, numbers and ids; never code, words or the message of an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.tracing import Kind, Value
from shared.version import VERSION

LINKS_MAX: Final = 32
"""Of one span to others than its parent."""

EXPORT_SECONDS_MAX: Final = 2.0
"""How long a collector may take; one that does not answer must not hold up a stop."""

_KINDS: Final[dict[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_HEADER: Final = "traceparent"
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class OtelSpans:
    """Gives what ends to a processor. Which traces are kept is for `OTEL_TRACES_SAMPLER` to say."""

    def __init__(self, processor: SpanProcessor, service: str, instance: str) -> None:
        resource = Resource.create(
            {"service.name": f"flocklore-{service}", "service.instance.id": instance, "service.version": VERSION}
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("flocklore", VERSION)

    @contextmanager
    def span(self, name: str, kind: Kind, parents: Iterable[str], attributes: dict[str, Value]) -> Iterator[None]:
        """Make a span that ends with the block, and fails with it."""
        known = [context for parent in dict.fromkeys(parents) if (context := _read(parent)).is_valid]
        with self._tracer.start_as_current_span(
            name,
            context=_within(known[0]) if known else None,
            kind=_KINDS[kind],
            links=[Link(context) for context in known[1 : LINKS_MAX + 1]],
            attributes={f"flocklore.{key}": value for key, value in attributes.items()},
            record_exception=False,  # its message may quote what was being read
            set_status_on_exception=False,
        ) as made:
            try:
                yield
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                made.set_status(StatusCode.ERROR, type(error).__name__)
                raise

    def current(self) -> str:
        """Where we are, as a traceparent; empty outside of any span."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get(_HEADER, "")

    def end(self) -> None:
        """Send what is not sent yet."""
        self._provider.shutdown()


def exporting(url: str, service: str, instance: str) -> OtelSpans:
    """Make spans that are sent to a collector by OTLP over HTTP, in batches and from a thread of its own."""
    exporter = OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS_MAX)
    return OtelSpans(BatchSpanProcessor(exporter), service, instance)


def _read(traceparent: str) -> SpanContext:
    return get_current_span(_PROPAGATOR.extract({_HEADER: traceparent}, context=Context())).get_span_context()


def _within(parent: SpanContext) -> Context:
    return set_span_in_context(NonRecordingSpan(parent), Context())
