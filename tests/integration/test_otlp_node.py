"""The exporters Claude Code is built with, those of OpenTelemetry for Node.js, send to a listening instance."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from starlette.responses import Response

from bench.fetching import cache_directory
from instance.otlp import answers, sink
from instance.otlp.body import RefusalError
from tests.support.databases import instance_engine
from tests.support.otlp import API_REQUEST, CHAT, Receiver, receiving
from tests.support.wait import eventually

HOME = cache_directory() / "opentelemetry-node"
PACKAGES = [
    f"@opentelemetry/{name}"
    for name in (
        "api-logs", "resources", "sdk-logs", "sdk-trace-base", "exporter-logs-otlp-http", "exporter-logs-otlp-proto",
        "exporter-trace-otlp-http", "exporter-trace-otlp-proto",
    )
]  # fmt: skip
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(
    NODE is None or not all((HOME / "node_modules" / name).is_dir() for name in PACKAGES),
    reason=f"needs node and `npm install --prefix {HOME} @opentelemetry/api {' '.join(PACKAGES)}`",
)

PROGRAM = """
const [form, url, event, chat] = process.argv.slice(1);
const { LoggerProvider, BatchLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const { BasicTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${form}`);
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${form}`);
const settings = (path) => ({ url: url + path, compression: "gzip" });
const logExporter = new OTLPLogExporter(settings("/v1/logs"));
const spanExporter = new OTLPTraceExporter(settings("/v1/traces"));
const of = (name) => resourceFromAttributes({ "service.name": name });
const logs = new LoggerProvider({
  resource: of("claude-code"),
  processors: [new BatchLogRecordProcessor({ exporter: logExporter })],
});
const traces = new BasicTracerProvider({
  resource: of("app"),
  spanProcessors: [new BatchSpanProcessor(spanExporter)],
});
for (let sequence = 1; sequence <= 3; sequence++) {
  const attributes = { ...JSON.parse(event), "event.sequence": sequence };
  logs.getLogger("com.anthropic.claude_code.events").emit({ body: "claude_code.api_request", attributes });
  traces.getTracer("app").startSpan("chat", { attributes: JSON.parse(chat) }).end();
}
Promise.all([logs.shutdown(), traces.shutdown()]).then(() => process.exit(0));
"""


@pytest.fixture
async def receiver(database_url: str) -> AsyncIterator[Receiver]:
    async with instance_engine(database_url) as engine, receiving(engine) as one:
        yield one


async def _export(form: str, receiver: Receiver) -> None:
    assert NODE is not None
    told = (msgspec.json.encode(document).decode() for document in (API_REQUEST, CHAT))
    process = await asyncio.create_subprocess_exec(
        NODE, "-e", PROGRAM, form, f"http://127.0.0.1:{receiver.port}", *told,
        env={"PATH": os.environ["PATH"], "NODE_PATH": str(Path(HOME) / "node_modules")},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, said) == (0, b"")


@pytest.mark.parametrize("form", ["http", "proto"])
async def test_logs_and_spans_arrive(receiver: Receiver, form: str) -> None:
    await _export(form, receiver)
    rows = await receiver.rows()
    assert [row["source"] for row in rows] == ["otlp.claude-code"] * 3 + ["otlp.genai"] * 3
    assert {(row["input_tokens"], row["cache_read_tokens"]) for row in rows} == {(12, 20000), (600, 400)}


async def test_what_is_refused_for_now_comes_again_and_counts_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[int] = []
    whole = answers.refused

    def noting(form: str, why: RefusalError) -> Response:
        refused.append(why.status)
        return whole(form, why)

    monkeypatch.setattr(answers, "RETRY_AFTER_SECONDS", 1)
    monkeypatch.setattr(answers, "refused", noting)
    with monkeypatch.context() as patched:
        patched.setattr(sink, "REQUESTS_MAX", 0)
        exporting = asyncio.create_task(_export("http", receiver))
        await eventually(lambda: len(refused) >= 2, 20)
    await exporting
    assert set(refused) == {503}
    assert len(await receiver.rows()) == 6
