"""Export requests as OTLP writes them in JSON: 64-bit numbers are strings, ids are hexadecimal, null is absent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from instance.otlp.entries import PARTS_MAX, TOO_MANY, Entry, Scalar, Signal, Walk
from shared.errors import ContractError

T = TypeVar("T")

Id = Annotated[str, Meta(pattern=r"^(?:[0-9a-fA-F]{2}){0,16}$")]
_Time = Annotated[int, Meta(ge=0)] | Annotated[str, Meta(pattern=r"^[0-9]{1,20}$")] | None

_BRACES_MAX: Final = 2 * PARTS_MAX
"""An attribute is an object in an object; looked at before anything is made of them."""

_FAILED: Final = frozenset({2, "STATUS_CODE_ERROR"})


class _Value(Struct, rename="camel"):
    string_value: str | None = None
    int_value: int | Annotated[str, Meta(max_length=20)] | None = None
    double_value: float | Annotated[str, Meta(max_length=40)] | None = None
    bool_value: bool | None = None

    @property
    def scalar(self) -> Scalar | None:
        told = (self.string_value, self.int_value, self.double_value, self.bool_value)
        return next((value for value in told if value is not None), None)


class _Attribute(Struct):
    key: str = ""
    value: _Value | None = None


class _Named(Struct):
    name: str | None = None


class _Resource(Struct):
    attributes: list[_Attribute] | None = None


class _Status(Struct):
    code: int | str | None = None


class _Entry(_Resource, rename="camel"):
    trace_id: Id | None = None
    span_id: Id | None = None


class _LogRecord(_Entry, rename="camel"):
    event_name: str | None = None
    body: _Value | None = None
    time_unix_nano: _Time = None
    observed_time_unix_nano: _Time = None


class _Span(_Entry, rename="camel"):
    name: str | None = None
    start_time_unix_nano: _Time = None
    end_time_unix_nano: _Time = None
    status: _Status | None = None


class _ScopeLogs(Struct, rename="camel"):
    scope: _Named | None = None
    log_records: list[_LogRecord] | None = None


class _ScopeSpans(Struct):
    scope: _Named | None = None
    spans: list[_Span] | None = None


class _ResourceLogs(Struct, rename="camel"):
    resource: _Resource | None = None
    scope_logs: list[_ScopeLogs] | None = None


class _ResourceSpans(Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Logs(Struct, rename="camel"):
    resource_logs: list[_ResourceLogs] | None = None


class _Traces(Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


class _Metrics(Struct, rename="camel"):
    resource_metrics: list[_Resource] | None = None


class _Form(Generic[T]):
    """Decodes one kind of request."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)

    def decode(self, body: bytes) -> T:
        if body.count(b"{") > _BRACES_MAX:
            raise ContractError(TOO_MANY)
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ContractError(f"the body is no export request in JSON: {error}") from error


_LOGS, _TRACES, _METRICS = _Form(_Logs), _Form(_Traces), _Form(_Metrics)


def decode(signal: Signal, body: bytes) -> Iterator[Entry]:
    """Return what a request holds, one by one; of metrics nothing is read. Raises `ContractError`."""
    if signal == "logs":
        return _records(_LOGS.decode(body))
    if signal == "traces":
        return _spans(_TRACES.decode(body))
    _METRICS.decode(body)
    return iter(())


def _records(told: _Logs) -> Iterator[Entry]:
    walk = Walk()
    for part in walk.through(told.resource_logs):
        resource = _attributes(walk, part.resource)
        for group in walk.through(part.scope_logs):
            scope = (group.scope and group.scope.name) or ""
            for record in walk.through(group.log_records):
                attributes = _attributes(walk, record)
                body = record.body.scalar if record.body else None
                yield Entry(
                    name=str(record.event_name or attributes.get("event.name") or body or ""),
                    attributes=attributes,
                    resource=resource,
                    scope=scope,
                    ended_ns=int(record.time_unix_nano or 0) or int(record.observed_time_unix_nano or 0),
                )


def _spans(told: _Traces) -> Iterator[Entry]:
    walk = Walk()
    for part in walk.through(told.resource_spans):
        resource = _attributes(walk, part.resource)
        for group in walk.through(part.scope_spans):
            scope = (group.scope and group.scope.name) or ""
            for span in walk.through(group.spans):
                yield Entry(
                    name=span.name or "",
                    attributes=_attributes(walk, span),
                    resource=resource,
                    scope=scope,
                    began_ns=int(span.start_time_unix_nano or 0),
                    ended_ns=int(span.end_time_unix_nano or 0),
                    trace_id=(span.trace_id or "").lower(),
                    span_id=(span.span_id or "").lower(),
                    failed=span.status is not None and span.status.code in _FAILED,
                )


def _attributes(walk: Walk, told: _Resource | None) -> dict[str, Scalar]:
    pairs = (
        (one.key, one.value.scalar) for one in walk.through(told.attributes if told else None) if one.value is not None
    )
    return {key: value for key, value in pairs if value is not None}
