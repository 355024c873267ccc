"""Programs that export over OTLP/HTTP to a listening instance with a real database."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from sqlalchemy import text

from shared.embedded.postgres import EmbeddedPostgres
from tests.support.databases import instance_engine
from tests.support.lifecycle import started, stress
from tests.support.otlp import (
    API_REQUEST,
    AT,
    CHAT,
    JSON,
    PROTOBUF,
    Receiver,
    in_json,
    in_protobuf,
    listener_of,
    logs,
    receiving,
    record,
    span,
    spans,
)
from tests.support.wait import eventually

CODEX = {
    "event.name": "codex.sse_event",
    "event.kind": "response.completed",
    "event.timestamp": "2026-09-10T00:26:41.000Z",
    "conversation.id": "0199a213-81c0-7800-8aa1-bbab2a035a53",
    "app.version": "0.98.0",
    "model": "gpt-5-codex",
    "input_token_count": "1000",
    "cached_token_count": "600",
    "output_token_count": "90",
    "reasoning_token_count": "40",
    "tool_token_count": "1090",
}
EVERYTHING = (
    (
        "/v1/logs",
        logs(
            record("claude_code.api_request", API_REQUEST),
            record("claude_code.tool_result", {"event.name": "tool_result", "duration_ms": "12"}),
            record("claude_code.user_prompt", {"event.name": "user_prompt", "prompt": "?"}),
        ),
    ),
    ("/v1/logs", logs(record("", CODEX, timeUnixNano="0"), service="codex_cli_rs")),
    ("/v1/traces", spans(span(CHAT), span({"http.method": "GET"}, "00f067aa0ba902b8"))),
)
NOT_SAID = {"id", "recorded_at", "completed_at", "started_at"}


@pytest.fixture
async def receiver(database_url: str) -> AsyncIterator[Receiver]:
    async with instance_engine(database_url) as engine, receiving(engine) as one:
        yield one


async def test_every_form_gives_the_same_rows_once(receiver: Receiver) -> None:
    forms: list[tuple[str, Callable[[Any], bytes], dict[str, str]]] = [
        (JSON, in_json, {}),
        (PROTOBUF, in_protobuf, {}),
        ("application/json; charset=utf-8", lambda told: gzip.compress(in_json(told)), {"Content_Encoding": "gzip"}),
        (PROTOBUF, lambda told: gzip.compress(in_protobuf(told)), {"Content_Encoding": "gzip"}),
    ]
    seen = []
    for form, write, headers in forms:
        for _ in range(2):
            for path, told in EVERYTHING:
                answer = await receiver.post(path, write(told), form, **headers)
                assert (answer.status, answer.body) == (200, b"{}" if form != PROTOBUF else b"")
                assert answer.headers["content-type"] == form.partition(";")[0]
        seen.append(await receiver.rows())
        async with receiver.engine.begin() as connection:
            await connection.execute(text("TRUNCATE job_results CASCADE"))
    assert [len(rows) for rows in seen] == [3, 3, 3, 3]
    stripped = [[{k: v for k, v in row.items() if k not in NOT_SAID} for row in rows] for rows in seen]
    assert all(rows == stripped[0] for rows in stripped)


async def test_requests_are_rows_with_numbers(receiver: Receiver) -> None:
    for path, told in EVERYTHING:
        await receiver.post(path, in_json(told))
    claude, codex, chat = await receiver.rows()
    assert {row["job_type"] for row in (claude, codex, chat)} == {"llm.request"}
    assert {row["status"] for row in (claude, codex, chat)} == {"unlabelled"}
    assert _told(claude) == {
        "source": "otlp.claude-code",
        "model_used": "claude-opus-4-5-20251101",
        "cost_cents": Decimal("3.450000"),
        "duration_ms": 4210,
        "tokens": (12, 345, 20000, 1500, None),
        "context": {"session": API_REQUEST["session.id"], "client": "claude-code 2.1.90"},
    }
    assert _told(codex)["tokens"] == (400, 50, 600, None, 40)
    assert codex["context"] == {"session": CODEX["conversation.id"], "client": "codex 0.98.0"}
    assert codex["cost_cents"] is not None, "by the list, as Codex tells of no cost"
    assert _told(chat)["tokens"] == (600, 50, 400, None, 150)
    assert (chat["source"], chat["model_used"], chat["duration_ms"]) == ("otlp.genai", "gpt-5-2025-08-07", 1500)
    assert chat["completed_at"].timestamp() == AT / 1e9


def _told(row: dict[str, Any]) -> dict[str, Any]:
    kinds = ("input", "output", "cache_read", "cache_write", "reasoning")
    kept = ("source", "model_used", "cost_cents", "duration_ms", "context")
    return {name: row[name] for name in kept} | {"tokens": tuple(row[f"{kind}_tokens"] for kind in kinds)}


@pytest.mark.parametrize("form", [JSON, PROTOBUF])
async def test_what_makes_no_sense_is_rejected_and_the_rest_kept(receiver: Receiver, form: str) -> None:
    wrong = dict(API_REQUEST) | {"input_tokens": "a dozen", "event.sequence": 8}
    told = logs(record("claude_code.api_request", wrong), record("claude_code.api_request", API_REQUEST))
    answer = await receiver.post("/v1/logs", (in_json if form == JSON else in_protobuf)(told), form)
    assert answer.status == 200
    why = "1 not recorded: input_tokens is no number from 0"
    if form == JSON:
        assert answer.document == {"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": why}}
    else:
        said = ExportLogsServiceResponse.FromString(answer.body).partial_success
        assert (said.rejected_log_records, said.error_message) == (1, why)
    assert len(await receiver.rows()) == 1


async def test_no_text_of_anybody_is_stored(receiver: Receiver) -> None:
    canary = "zqcanaryword"
    sentence = f"please {canary} this"
    texts = {"prompt": sentence, "error": sentence, "user.email": f"{canary}@example.org", canary: canary}
    events = [
        record("claude_code.api_request", {**API_REQUEST, **texts}, eventName=""),
        record("claude_code.api_error", {**API_REQUEST, **texts, "event.name": "api_error", "status_code": sentence}),
        record("claude_code.api_request", {**API_REQUEST, "model": sentence}),
        record("claude_code.api_request", {**API_REQUEST, "session.id": sentence, "app.version": sentence}),
        record(sentence, texts),
    ]
    others = [
        record(sentence, {**CODEX, **texts}),
        record("", {**CODEX, "event.name": "codex.api_request", "error.message": sentence}),
    ]
    messages = {"gen_ai.input.messages": sentence, "gen_ai.prompt.0.content": sentence, "error.type": sentence}
    traced = [
        span({**CHAT, **messages, **texts}, status=2, name=sentence),
        span({**CHAT, "gen_ai.system": sentence, "gen_ai.response.id": canary}, "00f067aa0ba902b8", events=[
            {"name": sentence, "attributes": [{"key": "gen_ai.content", "value": {"stringValue": sentence}}]}]),
    ]  # fmt: skip
    for path, told in (
        ("/v1/logs", logs(*events)),
        ("/v1/logs", logs(*others, service=sentence)),
        ("/v1/traces", spans(*traced)),
    ):
        for write, form in ((in_json, JSON), (in_protobuf, PROTOBUF)):
            assert canary in write(told).decode(errors="ignore")
            answer = await receiver.post(path, write(told), form)
            assert answer.status == 200
            assert canary not in answer.body.decode()
    rows = await receiver.rows()
    assert len(rows) == 7
    assert canary not in repr(rows)
    assert [row["error"] for row in rows] == [""] * 7


async def test_metrics_are_taken_and_nothing_is_made_of_them(receiver: Receiver) -> None:
    assert (await receiver.post("/v1/metrics", b'{"resourceMetrics":[{"scopeMetrics":[]}]}')).status == 200
    assert (await receiver.post("/v1/metrics", b"", PROTOBUF)).status == 200
    assert await receiver.rows() == []


async def test_while_the_database_is_away_an_exporter_is_told_to_come_again(
    own_postgres: Callable[[], EmbeddedPostgres],
) -> None:
    server = own_postgres()
    server.ensure_database("one")
    body = in_json(logs(record("claude_code.api_request", API_REQUEST)))
    async with instance_engine(server.dsn("one")) as engine, receiving(engine) as receiver:
        assert server.child is not None
        server.child.kill()
        away = await receiver.post("/v1/logs", body)
        assert (away.status, away.headers["retry-after"]) == (503, "5")
        assert away.document == {"message": "the database is away; send it again"}
        packed = await receiver.post("/v1/logs", in_protobuf(EVERYTHING[0][1]), PROTOBUF)
        assert (packed.status, packed.body[:1]) == (503, b"\x12")
        await asyncio.to_thread(server.start)
        assert (await receiver.post("/v1/logs", body)).status == 200
        assert len(await receiver.rows()) == 1


async def test_it_starts_and_stops_in_any_order(database_url: str) -> None:
    async with instance_engine(database_url) as engine:
        await stress(listener_of(engine, 0))


async def test_it_stops_within_a_second_though_connections_are_open(database_url: str) -> None:
    head = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    async with instance_engine(database_url) as engine, receiving(engine) as receiver:
        idle = await asyncio.open_connection("127.0.0.1", receiver.port)
        busy = await asyncio.open_connection("127.0.0.1", receiver.port)
        busy[1].write(head + b"{")
        server = receiver.listener._server  # noqa: SLF001 - only it knows what it is answering
        assert server is not None
        await eventually(lambda: len(server.server_state.tasks) == 1)
        began = time.monotonic()
        await receiver.listener.stop()
        assert time.monotonic() - began < 1.0
        answered = await asyncio.wait_for(busy[0].read(), 5)
        assert answered.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 5" in answered.lower()
        assert await asyncio.wait_for(idle[0].read(), 5) == b""
        for _, writer in (idle, busy):
            writer.close()


async def test_who_finds_the_port_taken_follows_when_it_is_free(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.web.server.LOOK_SECONDS", 0.02)
    async with instance_engine(database_url) as engine, receiving(engine) as first:
        second = listener_of(engine, first.port)
        async with started(second):
            assert second.running
            await first.listener.stop()
            await eventually(lambda: second._serving is not None)  # noqa: SLF001
            body = in_json(logs(record("claude_code.api_request", API_REQUEST)))
            answer = await Receiver(second, engine).post("/v1/logs", body)
            assert answer.status == 200


async def test_it_listens_on_the_loopback_interface_alone(receiver: Receiver) -> None:
    server = receiver.listener._server  # noqa: SLF001
    assert server is not None
    bound = [listening.getsockname()[0] for one in server.servers for listening in one.sockets]
    assert bound == ["127.0.0.1"]
    assert socket.gethostbyname("localhost") == "127.0.0.1"
