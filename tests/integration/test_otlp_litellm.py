"""Results posted as lines, and LiteLLM's requests told of by our callback, to a listening instance."""

from __future__ import annotations

import asyncio
import math
import os
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import instance
from bench.fetching import cache_directory
from instance.otlp.entries import fingerprint
from instance.recording.litellm_callback import FlockloreLogger
from tests.support.databases import instance_engine
from tests.support.otlp import Receiver, in_json, receiving, span, spans
from tests.support.wait import eventually, eventually_sync

LITELLM = cache_directory() / "litellm" / "bin" / "python"
NOBODY = "http://127.0.0.1:1/ingest"

PAYLOAD: dict[str, Any] = {
    "id": "chatcmpl-1",
    "trace_id": "trace",
    "session_id": "a-session",
    "call_type": "acompletion",
    "cache_hit": None,
    "status": "success",
    "custom_llm_provider": "anthropic",
    "model": "claude-sonnet-4-5",
    "startTime": 1_789_000_000.25,
    "endTime": 1_789_000_001.5,
    "response_time": 1.25,
    "response_cost": 0.0123456,
    "prompt_tokens": 1000,
    "completion_tokens": 90,
    "total_tokens": 1090,
    "messages": [{"role": "user", "content": "zqcanaryword"}],
    "response": {"choices": [{"message": {"content": "zqcanaryword"}}]},
    "error_str": "zqcanaryword",
    "metadata": {
        "usage_object": {
            "prompt_tokens_details": {"cached_tokens": 600, "cache_creation_tokens": 100},
            "completion_tokens_details": {"reasoning_tokens": 40},
            "cache_read_input_tokens": 600,
            "cache_creation_input_tokens": 100,
        }
    },
}


SPAN: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 90,
}


@pytest.fixture
async def receiver(database_url: str) -> AsyncIterator[Receiver]:
    async with instance_engine(database_url) as engine, receiving(engine) as one:
        yield one


def _told(logger: FlockloreLogger, **more: Any) -> None:
    logger.log_success_event({"standard_logging_object": PAYLOAD | more}, None, None, None)


async def _closed(logger: FlockloreLogger) -> None:
    await asyncio.to_thread(logger.close, 10)


async def test_lines_are_recorded_once_and_faults_named(receiver: Receiver) -> None:
    body = (
        b'{"job_type":"tests","status":"success","external_id":"a","context":{"task":"bugfix"}}\n\n'
        b'{"job_type":"tests"}\nno json\n'
        b'{"job_type":"tests","external_id":"b","prompt":"?"}\n'
        b'{"job_type":"dear","external_id":"c","model_used":"claude-opus-4-1","input_tokens":1000000000000,"output_tokens":1}\n'
        b'{"job_type":"tests","external_id":"e","cost_cents":"NaN"}\n'
        b'{"job_type":"tests","status":"failed","external_id":"d"}'
    )
    first = await receiver.post("/ingest", body, "application/x-ndjson")
    assert (first.status, first.document["results"], first.document["new"]) == (200, 3, 3)
    assert [fault.partition(":")[0] for fault in first.document["faults"]] == [
        "line 3",
        "line 4",
        "line 5",
        "line 7",
    ]
    again = await receiver.post("/ingest", body)
    assert (again.document["results"], again.document["new"]) == (3, 0)
    assert [(row["source"], row["external_id"], row["status"]) for row in await receiver.rows()] == [
        ("ingest", "a", "success"), ("ingest", "c", "unlabelled"), ("ingest", "d", "failed")
    ]  # fmt: skip


@pytest.mark.parametrize("body", [b"[1]", b"\xff", b"[" * 100_000, b'{"job_type":""}', b'{"external_id":1}'])
async def test_lines_that_are_none_are_refused(receiver: Receiver, body: bytes) -> None:
    answer = await receiver.post("/ingest", body)
    assert (answer.status, list(answer.document)) == (400, ["message"])


async def test_requests_through_litellm_become_rows(receiver: Receiver) -> None:
    logger = FlockloreLogger(f"http://127.0.0.1:{receiver.port}/ingest")
    told = {"standard_logging_object": PAYLOAD}
    await logger.async_log_success_event(kwargs=told, response_obj=None, start_time=None, end_time=None)
    _told(logger)  # LiteLLM may call both
    await logger.async_log_failure_event(
        {"standard_logging_object": PAYLOAD | {"id": "x", "status": "failure", "response_cost": 0.0}}, None, None, None
    )
    _told(logger, id="kept", cache_hit=True)
    await _closed(logger)
    good, failed = await receiver.rows()
    assert logger.dropped == 0
    assert (good["source"], good["job_type"], good["status"]) == ("ingest", "llm.request", "unlabelled")
    assert (good["model_used"], good["cost_cents"], good["duration_ms"]) == (
        "claude-sonnet-4-5", Decimal("1.234560"), 1250
    )  # fmt: skip
    assert [good[f"{kind}_tokens"] for kind in ("input", "output", "cache_read", "cache_write", "reasoning")] == [
        300, 50, 600, 100, 40
    ]  # fmt: skip
    assert good["context"] == {"provider": "anthropic", "session": "a-session", "response": fingerprint("chatcmpl-1")}
    assert (failed["status"], failed["cost_cents"], failed["input_tokens"]) == ("failed", None, None)
    assert "zqcanaryword" not in repr([good, failed])


@pytest.mark.parametrize("first", ["callback", "span"])
async def test_a_request_told_of_by_the_callback_and_by_a_span_counts_once(receiver: Receiver, first: str) -> None:
    async def callback(**more: Any) -> None:
        logger = FlockloreLogger(f"http://127.0.0.1:{receiver.port}/ingest")
        _told(logger, **more)
        await _closed(logger)

    async def gateway(trace: str, **more: Any) -> None:
        began, ended = (str(round(PAYLOAD[name] * 10**9)) for name in ("startTime", "endTime"))
        told = SPAN | {name.replace("__", "."): value for name, value in more.items()}
        one = span(told, traceId=trace * 16, startTimeUnixNano=began, endTimeUnixNano=ended)
        await receiver.post("/v1/traces", in_json(spans(one)))

    if first == "callback":
        await callback()
    await gateway("b7")
    await callback()
    (row,) = await receiver.rows()
    assert row["source"] == ("ingest" if first == "callback" else "otlp.genai")
    await gateway("b8", gen_ai__response__id="chatcmpl-2")
    await gateway("b9", gen_ai__response__id="chatcmpl-1", gen_ai__usage__output_tokens=7)
    await callback(id="chatcmpl-3", startTime=PAYLOAD["startTime"] + 3600, endTime=PAYLOAD["endTime"] + 3600)
    await gateway("ba", gen_ai__response__id="chatcmpl-3")
    assert len(await receiver.rows()) == 5, "another answer, another length, another time"


async def test_nothing_litellm_hands_over_raises(receiver: Receiver) -> None:
    logger = FlockloreLogger(f"http://127.0.0.1:{receiver.port}/ingest")
    odd: list[Any] = [None, {}, {"standard_logging_object": None}, {"standard_logging_object": {"id": 1}}]
    for kwargs in odd:
        await logger.async_log_success_event(kwargs, None, None, None)
        logger.log_failure_event(kwargs, None, None, None)
    assert logger.dropped == 2 * len(odd)
    for number, value in enumerate((math.nan, math.inf, -1.0, "much", 1e300)):
        _told(logger, id=f"cost-{number}", response_cost=value)
        _told(logger, id=f"end-{number}", endTime=value)
        _told(logger, id=f"tokens-{number}", prompt_tokens=value)
    _told(logger, id="\0" * 300, model="\0")
    _told(logger, id="good")
    await _closed(logger)
    assert [row["external_id"] for row in await receiver.rows() if ":good:" in row["external_id"]]


async def test_without_an_instance_requests_wait_and_then_are_dropped_and_counted() -> None:
    logger = FlockloreLogger(NOBODY, queued_max=2)
    for number in range(5):
        _told(logger, id=str(number))
    assert logger.dropped == 3
    await _closed(logger)
    assert logger.dropped == 5
    _told(logger)
    assert logger.dropped == 6


async def test_what_waits_is_sent_once_the_instance_is_there(receiver: Receiver) -> None:
    port = receiver.port
    await receiver.listener.stop()
    logger = FlockloreLogger(f"http://127.0.0.1:{port}/ingest")
    for number in range(3):
        _told(logger, id=str(number))
    thread = logger._thread  # noqa: SLF001
    assert thread is not None
    await receiver.listener.start()
    await eventually(lambda: not logger._queue, 20)  # noqa: SLF001
    assert (len(await receiver.rows()), logger.dropped) == (3, 0)
    await _closed(logger)
    eventually_sync(lambda: not thread.is_alive())


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="is no address"):
        FlockloreLogger("file:///etc/passwd")


PROGRAM = """
import asyncio, sys, time
import litellm
from litellm.integrations.custom_logger import CustomLogger
from instance.recording.litellm_callback import FlockloreLogger

heard = []

class Counting(FlockloreLogger):
    def _tell(self, kwargs):
        super()._tell(kwargs)
        heard.append(kwargs)

logger = Counting(sys.argv[1])
assert isinstance(logger, CustomLogger)
litellm.callbacks = [logger]
litellm.suppress_debug_info = True
asked = [{"role": "user", "content": "zqcanaryword"}]

async def ask():
    await litellm.acompletion(model="gpt-4o", messages=asked, mock_response="zqcanaryword")
    stream = await litellm.acompletion(model="claude-sonnet-4-5", messages=asked, mock_response="hi", stream=True)
    async for _ in stream:
        pass
    try:
        await litellm.acompletion(model="gpt-4o", messages=asked, mock_response=Exception("zqcanaryword"))
    except litellm.exceptions.InternalServerError:
        pass
    while len(heard) < 3:
        await asyncio.sleep(0.02)

asyncio.run(ask())
litellm.completion(model="gpt-4o-mini", messages=asked, mock_response="zqcanaryword")
while len(heard) < 4:
    time.sleep(0.02)
"""


@pytest.mark.skipif(not LITELLM.exists(), reason=f"needs LiteLLM and msgspec in an environment at {LITELLM.parents[1]}")
async def test_litellm_itself_calls_it(receiver: Receiver) -> None:
    process = await asyncio.create_subprocess_exec(
        LITELLM, "-c", PROGRAM, f"http://127.0.0.1:{receiver.port}/ingest",
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(instance.__file__).parents[1]),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, said.decode()
        rows = await eventually(_all_four(receiver), 20)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert sorted((row["model_used"], row["status"]) for row in rows) == [
        ("claude-sonnet-4-5", "unlabelled"), ("gpt-4o", "failed"), ("gpt-4o", "unlabelled"),
        ("gpt-4o-mini", "unlabelled"),
    ]  # fmt: skip
    assert all(row["cost_cents"] > 0 and row["output_tokens"] > 0 for row in rows if row["status"] == "unlabelled")
    assert "zqcanaryword" not in repr(rows)


def _all_four(receiver: Receiver) -> Any:
    async def rows() -> list[dict[str, Any]]:
        found = await receiver.rows()
        return found if len(found) >= 4 else []

    return rows


def test_it_needs_nothing_of_ours() -> None:
    source = Path(instance.__file__).with_name("recording") / "litellm_callback.py"
    imported = [line.split()[1] for line in source.read_text().splitlines() if line.startswith(("import", "from"))]
    assert imported
    assert {name.split(".")[0] for name in imported} <= {*sys.stdlib_module_names, "msgspec"}
