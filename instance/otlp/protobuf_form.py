"""Export requests as OTLP writes them in protocol buffers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from instance.otlp.entries import Entry, Scalar, Signal, Walk
from shared.errors import ContractError

_SCALARS: Final = frozenset({"string_value", "int_value", "double_value", "bool_value"})


def decode(signal: Signal, body: bytes) -> Iterator[Entry]:
    """Return what a request holds, one by one; of metrics nothing is read. Raises `ContractError`."""
    if signal == "logs":
        logs = ExportLogsServiceRequest()
        _parse(logs, body)
        return _records(logs)
    if signal == "traces":
        traces = ExportTraceServiceRequest()
        _parse(traces, body)
        return _spans(traces)
    _parse(ExportMetricsServiceRequest(), body)
    return iter(())


def _parse(message: Message, body: bytes) -> None:
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise ContractError("the body is no export request in protocol buffers") from error


def _records(told: ExportLogsServiceRequest) -> Iterator[Entry]:
    walk = Walk()
    for part in walk.through(told.resource_logs):
        resource = _attributes(walk, part.resource.attributes)
        for group in walk.through(part.scope_logs):
            for record in walk.through(group.log_records):
                attributes = _attributes(walk, record.attributes)
                body = _scalar(record.body)
                yield Entry(
                    name=str(record.event_name or attributes.get("event.name") or body or ""),
                    attributes=attributes,
                    resource=resource,
                    scope=group.scope.name,
                    ended_ns=record.time_unix_nano or record.observed_time_unix_nano,
                )


def _spans(told: ExportTraceServiceRequest) -> Iterator[Entry]:
    walk = Walk()
    for part in walk.through(told.resource_spans):
        resource = _attributes(walk, part.resource.attributes)
        for group in walk.through(part.scope_spans):
            for span in walk.through(group.spans):
                yield Entry(
                    name=span.name,
                    attributes=_attributes(walk, span.attributes),
                    resource=resource,
                    scope=group.scope.name,
                    began_ns=span.start_time_unix_nano,
                    ended_ns=span.end_time_unix_nano,
                    trace_id=span.trace_id[:16].hex(),
                    span_id=span.span_id[:16].hex(),
                    failed=span.status.code == Status.STATUS_CODE_ERROR,
                )


def _attributes(walk: Walk, told: Iterable[KeyValue]) -> dict[str, Scalar]:
    pairs = ((one.key, _scalar(one.value)) for one in walk.through(told))
    return {key: value for key, value in pairs if value is not None}


def _scalar(value: AnyValue) -> Scalar | None:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind in _SCALARS else None
