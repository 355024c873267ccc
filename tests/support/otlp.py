"""Export requests as emitters write them, and the rows an instance makes of them over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import http.client
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any, NamedTuple

import msgspec
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.learning.prices import prices
from instance.otlp.sink import Sink
from shared.web.server import WebServer
from tests.support.lifecycle import started

AT = 1_789_000_000_000_000_000
"""September 2026, in nanoseconds."""

JSON, PROTOBUF = "application/json", "application/x-protobuf"


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return msgspec.json.decode(self.body)


class Receiver(NamedTuple):
    """A listening sink and its database."""

    listener: WebServer
    engine: AsyncEngine

    @property
    def port(self) -> int:
        return self.listener.port

    async def post(self, path: str, body: bytes, form: str = JSON, **headers: str) -> Answer:
        told = {"Content-Type": form} | {name.replace("_", "-"): value for name, value in headers.items()}
        return await asyncio.to_thread(exchange, self.port, path, body, told)

    async def rows(self) -> list[dict[str, Any]]:
        async with self.engine.connect() as connection:
            found = await connection.execute(text("SELECT * FROM job_results ORDER BY source, external_id"))
            return [dict(row) for row in found.mappings()]


@asynccontextmanager
async def receiving(engine: AsyncEngine) -> AsyncIterator[Receiver]:
    """Serve a sink on a free port for the length of a block."""
    listener = listener_of(engine, 0)
    async with started(listener):
        yield Receiver(listener, engine)


def listener_of(engine: AsyncEngine, port: int) -> WebServer:
    """Make what an instance with an `otlp_port` runs."""
    return WebServer(
        Sink(engine, prices()).application, "127.0.0.1", port, name="otlp", setting="otlp_port", waits=True
    )


def exchange(port: int, path: str, body: bytes, headers: Mapping[str, str], method: str = "POST") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def attributes(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write attributes as OTLP does in JSON; numbers of 64 bits are strings."""
    return [{"key": key, "value": _value(value)} for key, value in told.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [_value(one) for one in value]}}
        case _:
            return {"stringValue": value}


def logs(*records: Mapping[str, Any], service: str = "claude-code", **resource: Any) -> dict[str, Any]:
    """Write a request of log records."""
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": attributes({"service.name": service} | resource)},
                "scopeLogs": [{"scope": {"name": "events", "version": "1"}, "logRecords": list(records)}],
            }
        ]
    }


def record(body: str, told: Mapping[str, Any], at: int = AT, **more: Any) -> dict[str, Any]:
    """Write a log record."""
    return {
        "timeUnixNano": str(at),
        "observedTimeUnixNano": str(at),
        "severityNumber": 9,
        "body": {"stringValue": body},
        "attributes": attributes(told),
    } | more


def spans(*many: Mapping[str, Any], service: str = "app") -> dict[str, Any]:
    """Write a request of spans."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes({"service.name": service})},
                "scopeSpans": [{"scope": {"name": "instrumentation"}, "spans": list(many)}],
            }
        ]
    }


def span(told: Mapping[str, Any], identity: str = "00f067aa0ba902b7", status: int = 0, **more: Any) -> dict[str, Any]:
    """Write a span of 1.5 seconds."""
    return {
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": identity,
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(AT - 1_500_000_000),
        "endTimeUnixNano": str(AT),
        "attributes": attributes(told),
        "status": {"code": status},
    } | more


def in_json(told: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(told)


def in_protobuf(told: Mapping[str, Any]) -> bytes:
    """Write the same request in protocol buffers, by another library than the one that reads it."""
    kind = ExportLogsServiceRequest if "resourceLogs" in told else ExportTraceServiceRequest
    return ParseDict(_with_bytes(deepcopy(dict(told))), kind()).SerializeToString()


def _with_bytes(told: Any) -> Any:
    """Ids are hexadecimal in OTLP, and base64 in any other protocol of this kind."""
    if isinstance(told, dict):
        for name in ("traceId", "spanId"):
            if name in told:
                told[name] = base64.b64encode(bytes.fromhex(told[name])).decode()
        for value in told.values():
            _with_bytes(value)
    elif isinstance(told, Sequence) and not isinstance(told, str):
        for value in told:
            _with_bytes(value)
    return told


API_REQUEST: Mapping[str, Any] = {
    "session.id": "8d7f0c5e-7b1a-4f0e-9e55-0b6f0f6c1a11",
    "organization.id": "org",
    "user.email": "somebody@example.org",
    "app.version": "2.1.90",
    "terminal.type": "vscode",
    "event.name": "api_request",
    "event.timestamp": "2026-09-10T00:26:40.000Z",
    "event.sequence": 7,
    "model": "claude-opus-4-5-20251101",
    "input_tokens": "12",
    "output_tokens": "345",
    "cache_read_tokens": "20000",
    "cache_creation_tokens": "1500",
    "cost_usd": "0.0345",
    "duration_ms": "4210",
}
"""As Claude Code writes it: numbers are strings."""

CHAT: Mapping[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.model": "gpt-5-2025-08-07",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.cache_read.input_tokens": 400,
    "gen_ai.usage.output_tokens": 200,
    "gen_ai.usage.reasoning.output_tokens": 150,
    "gen_ai.response.finish_reasons": ["stop"],
}
