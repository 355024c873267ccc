"""Answers as OTLP wants them: in the form of the request, and telling an exporter whether to send it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from starlette.responses import Response

from instance.otlp.body import RefusalError
from instance.otlp.entries import Signal

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"

RETRY_AFTER_SECONDS: Final = 5

_AGAIN: Final = frozenset({429, 503})
_RESPONSES: Final[Mapping[Signal, tuple[type[Any], str]]] = {
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
}


def taken(signal: Signal, form: str, rejected: int, why: str) -> Response:
    """Say that a request was taken, all but so many of its records."""
    if form == PROTOBUF:
        kind, field = _RESPONSES[signal]
        response = kind()
        if rejected:
            setattr(response.partial_success, field, rejected)
            response.partial_success.error_message = why
        return Response(response.SerializeToString(), media_type=PROTOBUF)
    partial = {_camel(_RESPONSES[signal][1]): str(rejected), "errorMessage": why}
    return json({"partialSuccess": partial} if rejected else {})


def refused(form: str, refusal: RefusalError) -> Response:
    """Say why a request was not taken, and when to send it again if that may help."""
    why = str(refusal)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if refusal.status in _AGAIN else {}
    if form == PROTOBUF:
        # On the wire the `Status` of google.rpc, which OTLP asks for: its message is field 2 of both.
        return Response(Status(message=why).SerializeToString(), refusal.status, headers, PROTOBUF)
    return json({"message": why}, refusal.status, headers)


def json(told: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A document."""
    return Response(msgspec.json.encode(told), status, headers, JSON)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
