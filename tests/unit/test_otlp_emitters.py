"""What emitters tell of requests to models, in every version of their words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.prices import Tokens, prices
from instance.otlp import emitters
from instance.otlp.emitters import Read
from instance.otlp.entries import Entry, Scalar, Signal
from instance.store.results import JobResult
from tests.support.otlp import API_REQUEST, AT, CHAT

NOW = datetime(2026, 11, 21, tzinfo=UTC)
KNOWN = prices()
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def _read(signal: Signal, *entries: Entry) -> Read:
    return emitters.read(signal, entries, KNOWN, NOW)


def _one(signal: Signal, entry: Entry) -> JobResult:
    found = _read(signal, entry)
    assert (len(found.results), found.why) == (1, "")
    return found.results[0]


def _event(name: str, told: Mapping[str, Any], service: str = "", at: int = AT, session: str = "") -> Entry:
    return Entry(name, _scalars(told), {"service.name": service, "session.id": session}, ended_ns=at)


def _span(told: Mapping[str, Any], identity: str = SPAN, **more: Any) -> Entry:
    return Entry("chat", _scalars(told), {}, began_ns=AT - 10**9, ended_ns=AT, trace_id=TRACE, span_id=identity, **more)


def _scalars(told: Mapping[str, Any]) -> dict[str, Scalar]:
    return {name: value for name, value in told.items() if not isinstance(value, list)}


def _tokens(result: JobResult) -> tuple[int | None, ...]:
    return (
        result.input_tokens,
        result.output_tokens,
        result.cache_read_tokens,
        result.cache_write_tokens,
        result.reasoning_tokens,
    )


@pytest.mark.parametrize("name", ["api_request", "claude_code.api_request"])
@pytest.mark.parametrize("kind", [str, float])
def test_an_event_of_claude_code_by_either_name_and_with_any_numbers(name: str, kind: type) -> None:
    names = [name for name in API_REQUEST if name.endswith(("_tokens", "_usd", "_ms", ".sequence"))]
    numbers = {name: kind(API_REQUEST[name]) for name in names}
    told = _one("logs", _event(name, {**API_REQUEST, **numbers}, "claude-code"))
    assert _tokens(told) == (12, 345, 20000, 1500, None)
    assert (told.cost_cents, told.duration_ms) == (Decimal("3.45"), 4210)
    assert told.started_at is not None
    assert told.completed_at == told.started_at + timedelta(milliseconds=4210)


def test_a_request_is_known_by_its_id_or_else_by_all_that_is_told_of_it() -> None:
    named = {**API_REQUEST, "request_id": "req_011CV"}
    assert _one("logs", _event("claude_code.api_request", named)).external_id == "api_request:req_011CV"
    later = _event("claude_code.api_request", {**named, "duration_ms": 1}, at=AT + 1)
    assert _one("logs", later).external_id == "api_request:req_011CV"
    unnamed = [
        _event("claude_code.api_request", API_REQUEST),
        _event("claude_code.api_request", {**API_REQUEST, "event.sequence": 8}),
        _event("claude_code.api_request", {**API_REQUEST, "session.id": "other"}),
        _event("claude_code.api_request", API_REQUEST, at=AT + 1),
    ]
    assert len({_one("logs", entry).external_id for entry in unnamed * 2}) == 4


def test_where_claude_code_gave_up_the_request_failed() -> None:
    told = {"model": "claude-opus-4-5", "error": "overloaded", "status_code": "529", "attempt": 11, "duration_ms": 99}
    failed = _one("logs", _event("claude_code.api_error", told, session="of-the-resource"))
    assert (failed.status, failed.error, failed.cost_cents) == ("failed", "HTTP 529", None)
    assert failed.context["session"] == "of-the-resource"
    assert _one("logs", _event("claude_code.api_error", {**told, "status_code": "undefined"})).error == ""


def test_the_time_may_stand_in_an_attribute_and_is_needed() -> None:
    told = _one("logs", _event("claude_code.api_request", API_REQUEST, at=0))
    assert told.completed_at == datetime(2026, 9, 10, 0, 26, 40, tzinfo=UTC)
    timeless = {name: value for name, value in API_REQUEST.items() if name != "event.timestamp"}
    found = _read("logs", _event("claude_code.api_request", timeless, at=0))
    assert (found.results, found.rejected) == ([], 1)
    assert "no time" in found.why


def test_a_clock_that_is_ahead_dates_nothing_into_days_to_come() -> None:
    ahead = int((NOW + timedelta(days=3)).timestamp()) * 10**9
    assert _one("logs", _event("claude_code.api_request", API_REQUEST, at=ahead)).completed_at == NOW


@pytest.mark.parametrize("name", ["tool_result", "user_prompt", "tool_decision", "api_request_body", "compaction", ""])
def test_other_events_are_no_requests(name: str) -> None:
    assert _read("logs", _event(f"claude_code.{name}", API_REQUEST)) == Read([], 0, "")


CODEX = {
    "conversation.id": "0199a213-81c0-7800-8aa1-bbab2a035a53",
    "event.kind": "response.completed",
    "model": "gpt-5-codex",
    "input_token_count": 1000,
    "cached_token_count": 600,
    "cache_write_token_count": 100,
    "output_token_count": 90,
    "reasoning_token_count": 40,
}


def test_tokens_of_codex_do_not_overlap() -> None:
    told = _one("logs", _event("codex.sse_event", CODEX, "codex_cli_rs"))
    assert _tokens(told) == (300, 50, 600, 100, 40)
    assert (told.source, told.duration_ms, told.status) == ("otlp.codex", None, "unlabelled")


@pytest.mark.parametrize(
    ("name", "told", "status"),
    [
        ("codex.sse_event", {"event.kind": "response.output_item.done"}, None),
        ("codex.sse_event", {"event.kind": "response.completed"}, None),
        ("codex.sse_event", {"event.kind": "response.failed", "error.message": "?"}, "failed"),
        ("codex.websocket_event", CODEX, "unlabelled"),
        ("codex.api_request", {"http.response.status_code": 200, "duration_ms": 5}, None),
        ("codex.api_request", {"http.response.status_code": "500", "attempt": 2}, "failed"),
        ("codex.api_request", {"error.message": "timed out"}, "failed"),
        ("codex.websocket_request", {"success": "false", "error.message": "?"}, "failed"),
        ("codex.user_prompt", {"prompt": "?"}, None),
        ("codex.tool_result", {"output": "?"}, None),
    ],
)
def test_which_events_of_codex_are_requests(name: str, told: dict[str, Any], status: str | None) -> None:
    found = _read("logs", _event(name, {"model": "gpt-5-codex", **told}))
    assert [result.status for result in found.results] == ([status] if status else [])
    assert found.rejected == 0


VERSIONS: Mapping[str, Mapping[str, Any]] = {
    "1.27": {"gen_ai.system": "openai", "gen_ai.usage.prompt_tokens": 1000, "gen_ai.usage.completion_tokens": 200},
    "1.30": {"gen_ai.system": "openai", "gen_ai.usage.input_tokens": "1000", "gen_ai.usage.output_tokens": "200"},
    "1.37": {"gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 200},
}


@pytest.mark.parametrize("told", VERSIONS.values(), ids=VERSIONS)
def test_the_conventions_in_several_versions(told: Mapping[str, Any]) -> None:
    found = _one("traces", _span({"gen_ai.request.model": "gpt-5", **told}))
    assert (found.input_tokens, found.output_tokens, found.context) == (1000, 200, {"provider": "openai"})
    assert found.cost_cents == KNOWN.cost_cents("gpt-5", NOW.date(), Tokens(1000, 200))


@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("cache_read.input_tokens", "cache_creation.input_tokens"),
        ("cache_read.input_tokens", "cache_write.input_tokens"),
        ("cache_read_input_tokens", "cache_creation_input_tokens"),
        ("cache_read_tokens", "cache_write_tokens"),
    ],
)
def test_what_was_cached_is_part_of_what_was_given(read: str, written: str) -> None:
    told = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 1000}
    cached = {f"gen_ai.usage.{read}": 600, f"gen_ai.usage.{written}": 100}
    assert _tokens(_one("traces", _span({**told, **cached}))) == (300, None, 600, 100, None)
    apart = {**told, **cached, "gen_ai.usage.input_tokens": 10}
    assert _tokens(_one("traces", _span(apart))) == (10, None, 600, 100, None)


@pytest.mark.parametrize("operation", ["invoke_agent", "execute_tool", "create_agent", "invoke_workflow"])
def test_what_sums_up_requests_is_none(operation: str) -> None:
    assert _read("traces", _span({**CHAT, "gen_ai.operation.name": operation})).results == []
    assert _read("traces", _span({"http.request.method": "POST"})).results == []


def test_two_spans_of_one_response_are_one_request() -> None:
    gateway, client = _span({**CHAT, "gen_ai.response.id": "r1"}), _span({**CHAT, "gen_ai.response.id": "r1"}, "ff" * 8)
    other = _span({**CHAT, "gen_ai.response.id": "r2"}, "ee" * 8)
    found = _read("traces", gateway, client, other, _span(CHAT), _span(CHAT, "dd" * 8)).results
    assert len({result.external_id for result in found}) == 4


def test_spans_that_failed_are_failed_requests() -> None:
    assert _one("traces", _span(CHAT, failed=True)).status == "failed"
    assert _one("traces", _span({**CHAT, "error.type": "timeout"})).status == "failed"


def test_spans_of_agents_whose_events_are_read_are_left_alone() -> None:
    for service in ("claude-code", "codex_cli_rs"):
        assert _read("traces", _span(CHAT)._replace(resource={"service.name": service})).results == []


def test_a_cost_nobody_can_have_paid_is_rejected() -> None:
    found = _read(
        "traces", _span({**CHAT, "gen_ai.response.model": "claude-opus-4-1", "gen_ai.usage.input_tokens": 10**12})
    )
    assert (found.results, found.why) == ([], "1 not recorded: it cost more than a request can")


values = st.one_of(st.text(max_size=40), st.integers(), st.floats(), st.booleans())


@given(
    st.sampled_from(["claude_code.api_request", "claude_code.api_error", "codex.sse_event", "codex.api_request", "x"]),
    st.dictionaries(st.sampled_from([*API_REQUEST, *CODEX, *CHAT, "status_code", "error.message"]), values),
    st.integers(0, 2**64),
    st.integers(0, 2**64),
)
def test_whatever_is_told_is_read_or_rejected(name: str, told: dict[str, Any], began: int, ended: int) -> None:
    for base in ({}, API_REQUEST, CODEX, CHAT):
        entry = Entry(name, _scalars({**base, **told}), {}, "", began, ended, TRACE, SPAN)
        for signal in ("logs", "traces"):
            found = _read(signal, entry)
            assert len(found.results) + found.rejected <= 1
            for result in found.results:
                assert result.completed_at is not None
                assert result.completed_at <= NOW + timedelta(hours=1)
                assert 0 <= (result.cost_cents or 0) < 10**9
                assert all(0 <= (count or 0) <= 10**12 for count in (*_tokens(result), result.duration_ms))
