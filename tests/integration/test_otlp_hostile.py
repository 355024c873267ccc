"""What no exporter sends: refused with the right answer, never with an error of ours, and nothing of it is kept."""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from instance.otlp import body, sink
from instance.otlp.body import BYTES_MAX
from instance.otlp.entries import PARTS_MAX
from tests.support.databases import instance_engine
from tests.support.otlp import (
    API_REQUEST,
    CHAT,
    JSON,
    PROTOBUF,
    Receiver,
    exchange,
    in_json,
    in_protobuf,
    logs,
    receiving,
    record,
    span,
    spans,
)

GOOD = logs(record("claude_code.api_request", API_REQUEST))
DEEP = 100_000


@pytest.fixture
async def receiver(database_url: str) -> AsyncIterator[Receiver]:
    async with instance_engine(database_url) as engine, receiving(engine) as one:
        yield one


MALFORMED = {
    "empty": b"",
    "no JSON": b"{",
    "no document": b"[]",
    "not UTF-8": b'{"resourceLogs":[{"resource":{"attributes":[{"key":"\xff"}]}}]}',
    "wrong type": b'{"resourceLogs":{}}',
    "wrong time": b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"now"}]}]}]}',
    "wrong id": b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"zz"}]}]}]}',
    "wrong value": b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"intValue":[1]}}]}]}]}',
    "nested lists": b'{"resourceLogs":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "nested values": b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":'
    + b'{"arrayValue":{"values":[' * DEEP
    + b"]}}" * DEEP
    + b"}]}]}]}",
}


@pytest.mark.parametrize("told", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_json_is_refused(receiver: Receiver, told: bytes) -> None:
    answer = await receiver.post("/v1/logs", told)
    assert (answer.status, list(answer.document)) == (400, ["message"])
    assert await receiver.rows() == []


async def test_malformed_protocol_buffers_are_refused(receiver: Receiver) -> None:
    deep = b""
    for _ in range(200):
        inner = b"\x2a" + _length(len(deep)) + deep if deep else b"\x0a\x01x"
        deep = b"\x0a" + _length(len(inner)) + inner
    for told in (b"\xff\xff\xff", in_protobuf(GOOD)[:-3], deep * 2 + b"\x0a"):
        answer = await receiver.post("/v1/logs", told, PROTOBUF)
        assert answer.status == 400
        assert answer.body.startswith(b"\x12")
    assert await receiver.rows() == []


async def test_a_request_of_too_many_parts_is_refused_in_either_form(receiver: Receiver) -> None:
    many = PARTS_MAX + 1
    attributes = b'{"resourceLogs":[{"resource":{"attributes":[' + b",".join([b"{}"] * many) + b"]}}]}"
    objects = b'{"resourceLogs":[' + b",".join([b"{}"] * (2 * many)) + b"]}"
    for form, told in ((JSON, attributes), (JSON, objects), (PROTOBUF, b"\x0a\x00" * many)):
        answer = await receiver.post("/v1/logs", told, form)
        assert answer.status == 400
        assert b"export smaller batches" in answer.body


def _length(size: int) -> bytes:
    return bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80]) + _length(size >> 7)


VALUES: tuple[Any, ...] = (
    -1, 10**13, 2**63 - 1, 1e308, -0.5, True, "", "NaN", "inf", "-1", "1e400", "9" * 39, "9" * 100_000, "0x10",
    "\x00", "two words", "\ud7ff\U0010ffff", "x" * 300, ["list"], "1e12", "1e-12",
)  # fmt: skip


async def test_no_value_of_an_attribute_breaks_it(receiver: Receiver) -> None:
    events = [
        record("claude_code.api_request", {**API_REQUEST, name: value}) for name in API_REQUEST for value in VALUES
    ]
    traced = [span({**CHAT, name: value}, f"{place:016x}") for place, (name, value) in enumerate(_pairs(), 1)]
    for path, told in (("/v1/logs", logs(*events)), ("/v1/traces", spans(*traced))):
        as_json, as_protobuf = in_json(told), in_protobuf(told)
        first = await receiver.post(path, as_json)
        count = len(await receiver.rows())
        second = await receiver.post(path, as_protobuf, PROTOBUF)
        assert (first.status, second.status) == (200, 200)
        assert "not recorded" in first.document["partialSuccess"]["errorMessage"]
        assert len(await receiver.rows()) == count > 0, "both forms give one thing one identity"


def _pairs() -> list[tuple[str, Any]]:
    return [(name, value) for name in CHAT for value in VALUES]


async def test_no_time_breaks_it(receiver: Receiver) -> None:
    times = ["0", "1", str(2**63), str(2**64 - 1)]
    events = [
        record("claude_code.api_request", {**API_REQUEST, "event.timestamp": said}, timeUnixNano=at,
               observedTimeUnixNano="0")
        for at in times
        for said in ("", "never", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    ]  # fmt: skip
    traced = [
        span(CHAT, f"{place:016x}", startTimeUnixNano=began, endTimeUnixNano=ended)
        for place, (began, ended) in enumerate(((a, b) for a in times for b in times), 1)
    ]
    for path, told in (("/v1/logs", logs(*events)), ("/v1/traces", spans(*traced))):
        assert (await receiver.post(path, in_json(told))).status == 200
        assert (await receiver.post(path, in_protobuf(told), PROTOBUF)).status == 200
    rows = await receiver.rows()
    assert rows
    assert all(row["completed_at"] <= row["recorded_at"] for row in rows)
    too_long = in_json(logs(record("claude_code.api_request", API_REQUEST, timeUnixNano="9" * 20)))
    assert (await receiver.post("/v1/logs", too_long)).document["partialSuccess"]["rejectedLogRecords"] == "1"


async def test_bytes_at_random_are_never_our_error(receiver: Receiver) -> None:
    chance = random.Random(11)  # noqa: S311 - a reproducible order
    whole = {JSON: in_json(GOOD), PROTOBUF: in_protobuf(GOOD)}
    for turn in range(200):
        form = (JSON, PROTOBUF)[turn % 2]
        told = bytearray(whole[form])
        for _ in range(chance.randint(1, 6)):
            told[chance.randrange(len(told))] = chance.randrange(256)
        answer = await receiver.post(chance.choice(("/v1/logs", "/v1/traces", "/v1/metrics")), bytes(told), form)
        assert answer.status in (200, 400)


async def test_what_is_too_large_is_refused_packed_or_not(receiver: Receiver) -> None:
    blank = b" " * (BYTES_MAX + 1)
    bomb = gzip.compress(b" " * (256 * 1024 * 1024), 1)
    assert len(bomb) < BYTES_MAX
    assert (await receiver.post("/v1/logs", gzip.compress(blank), Content_Encoding="gzip")).status == 413
    assert (await receiver.post("/v1/logs", bomb, Content_Encoding="gzip")).status == 413
    assert (await receiver.post("/ingest", bomb, Content_Encoding="gzip")).status == 413
    head = f"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\nContent-Length: {len(blank)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(head.encode() + blank)
    assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 413")
    writer.close()
    largest = in_json(GOOD).ljust(BYTES_MAX)
    assert (await receiver.post("/v1/logs", largest)).status == 200


async def test_what_is_packed_badly_or_otherwise_is_refused(receiver: Receiver) -> None:
    packed = gzip.compress(in_json(GOOD))
    for told in (packed[:-4], b"no gzip", packed + b"more", b""):
        assert (await receiver.post("/v1/logs", told, Content_Encoding="gzip")).status == 400
    assert (await receiver.post("/v1/logs", packed, Content_Encoding="br")).status == 415
    assert (await receiver.post("/v1/logs", in_json(GOOD), "text/plain")).status == 415
    assert (await receiver.post("/ingest", b"{}", "text/plain")).status == 415
    assert await receiver.rows() == []


async def test_a_web_page_cannot_reach_it(receiver: Receiver) -> None:
    told = in_json(GOOD)
    for host in ("evil.example", f"evil.example:{receiver.port}", "127.0.0.1.evil.example", "", "localhost:x"):
        assert (await receiver.post("/v1/logs", told, Host=host)).status == 421
    for host in ("localhost", f"LOCALHOST:{receiver.port}", "127.0.0.1", "[::1]:4318"):
        answer = await receiver.post("/v1/logs", told, Host=host, Origin="https://evil.example")
        assert answer.status == 200
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = await asyncio.to_thread(exchange, receiver.port, "/v1/logs", b"", asked, "OPTIONS")
    assert preflight.status == 405
    assert not [name for name in preflight.headers if name.lower().startswith("access-control")]


async def test_other_ways_and_places_are_refused(receiver: Receiver) -> None:
    for method, path, status in (("GET", "/v1/logs", 405), ("PUT", "/ingest", 405), ("POST", "/v1/profiles", 404)):
        answer = await asyncio.to_thread(exchange, receiver.port, path, b"", {}, method)
        assert answer.status == status


async def test_who_sends_slowly_is_told_so(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "READ_SECONDS_MAX", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(
        b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_more_at_a_time_than_fit_are_told_to_come_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "REQUESTS_MAX", 0)
    answer = await receiver.post("/v1/logs", in_json(GOOD))
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


async def test_who_goes_away_in_the_middle_leaves_nothing_behind(receiver: Receiver) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port)) as one:
        one.sendall(
            b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
    assert (await receiver.post("/v1/logs", in_json(GOOD))).status == 200
    assert len(await receiver.rows()) == 1
