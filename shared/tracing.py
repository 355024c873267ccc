"""Traces: one from a job through NATS to an insight and its use. They are made by the extra `otel`, in `shared.spans`.

Until spans are wanted nothing of OpenTelemetry is imported, and a span costs a look at a variable. What goes from one
task, process or machine to another is a W3C `traceparent`: in a column beside what waits, in the headers of messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, Literal, Protocol

from shared.errors import ConfigurationError

Kind = Literal["internal", "producer", "consumer"]
Value = str | int | float | bool

META: Final = "traceparent"
"""Where a job has the trace in which it was queued."""

_NOTHING: Final = nullcontext()


class Spans(Protocol):
    """Makes spans."""

    def span(
        self, name: str, kind: Kind, parents: Iterable[str], attributes: dict[str, Value]
    ) -> AbstractContextManager[None]:
        """Begin a span that ends with the block; see `span`."""

    def current(self) -> str:
        """Where we are; see `current`."""

    def end(self) -> None:
        """Send what is not sent yet, and make no more."""


_spans: Spans | None = None


def span(
    name: str, *, kind: Kind = "internal", parents: Iterable[str] = (), **attributes: Value
) -> AbstractContextManager[None]:
    """Have what happens in a block be a span, in the trace of the first of `parents`, else of where we are.

    Of parents, which are traceparents, empty and unreadable ones do not count; the others are linked to.
    """
    return _NOTHING if _spans is None else _spans.span(name, kind, parents, attributes)


def current() -> str:
    """Where we are, as a traceparent; empty when nobody wants spans, or outside of any."""
    return "" if _spans is None else _spans.current()


@contextmanager
def using(spans: Spans) -> Iterator[None]:
    """Make spans for the length of a block."""
    global _spans  # noqa: PLW0603 - as in OpenTelemetry itself: what is traced should not have to be told by whom
    before, _spans = _spans, spans
    try:
        yield
    finally:
        _spans = before
        spans.end()


def exporting(url: str | None, service: str, instance: str) -> AbstractContextManager[None]:
    """Send spans to a collector for the length of a block; None: make none.

    Raises `ConfigurationError` when the extra is not installed.
    """
    if url is None:
        return _NOTHING
    try:
        from shared import spans  # noqa: PLC0415 - an extra, and a tenth of a second
    except ImportError as error:
        raise ConfigurationError(
            f"trace_url: install flocklore[otel] to send spans ({error.name} is missing)"
        ) from error
    return using(spans.exporting(url, service, instance))
