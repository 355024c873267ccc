"""An instance over HTTP: health, its own queue and results, advice, what is sent to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from shared.embedded.nats import EmbeddedNats
from shared.web.server import WebServer
from tests.support.daemons import Member, codebase, member
from tests.support.http import Site
from tests.support.otlp import API_REQUEST, in_json, logs, record
from tests.support.wait import eventually

RESULT = {"job_type": "fix", "model_used": "small", "status": "success", "cost_cents": 2.5, "duration_ms": 1200}


class Shown:
    """A running instance and where it answers."""

    def __init__(self, daemon: Member) -> None:
        self.daemon = daemon
        self.site = Site(daemon.part(WebServer).port)


@pytest.fixture
async def shown(nats_server: EmbeddedNats, database_url: str, tmp_path: Path) -> AsyncIterator[Shown]:
    workspace = codebase(tmp_path / "desk", {"Makefile": "all:\n"})
    async with member(nats_server.url, database_url, workspace, http_port=0) as daemon:
        yield Shown(daemon)


async def test_health_tells_of_this_instance(shown: Shown) -> None:
    async def healthy() -> bool:
        return (await shown.site.get("/health")).status == 200

    await eventually(healthy)
    said = (await shown.site.get("/health")).document
    assert (said["instance_id"], said["active_instances"], said["database"]) == ("desk", 1, "connected")
    assert said["buffers"]["outbox"] >= 0
    assert said["checks"]["nats"] == "healthy"
    assert (await shown.site.get("/ready")).document["checks"] == {"database": "healthy"}
    assert b"flocklore_outbox_pending" in (await shown.site.get("/metrics")).body


async def test_what_is_on_the_queue_and_when_it_runs(shown: Shown) -> None:
    await shown.daemon.study()
    jobs = (await shown.site.get("/api/v1/jobs?state=completed&limit=1")).document
    assert [job["state"] for job in jobs["items"]] == ["completed"]
    assert jobs["next"] == str(jobs["items"][0]["id"])
    older = (await shown.site.get(f"/api/v1/jobs?after={jobs['next']}")).document["items"]
    assert all(job["id"] < jobs["items"][0]["id"] for job in older)
    assert "default" in [queue["name"] for queue in (await shown.site.get("/api/v1/queues")).document["items"]]
    schedules = {row["name"]: row for row in (await shown.site.get("/api/v1/schedules")).document["items"]}
    assert (schedules["pattern_mining"]["when"], schedules["pattern_mining"]["runs"]) == ("on demand", 1)
    assert (await shown.site.get("/api/v1/insights?search=none")).document == {"items": [], "next": None}


async def test_results_that_are_sent_are_summed_up_and_advised_by(shown: Shown) -> None:
    site = shown.site
    lines = b"\n".join(msgspec.json.encode(RESULT | {"external_id": f"r{number}"}) for number in range(12))
    taken = await site.ask("POST", "/ingest", lines, Content_Type="application/x-ndjson")
    assert (taken.status, taken.document["new"]) == (200, 12)
    told = in_json(logs(record("claude_code.api_request", API_REQUEST)))
    assert (await site.ask("POST", "/v1/logs", told, Content_Type="application/json")).status == 200
    summed = (await site.get("/api/v1/results/summary?job_type=fix")).document
    assert (summed["results"], summed["complete"], len(summed["lines"])) == (12, True, 1)
    (line,) = summed["lines"]
    assert line["key"] == {"type": "fix", "model": "small"}
    assert (line["results"], line["succeeded"], line["cost_cents"]) == (12, 12, 30.0)
    advised = await site.post("/api/v1/route", {"job_type": "fix", "incumbent": ["small"]})
    assert (advised.status, advised.document["plan"]) == (200, ["small"])
    unknown = await site.post("/api/v1/route", {"job_type": "never seen"})
    assert (unknown.status, unknown.code) == (404, "NOT_FOUND")
    strange = await site.post("/api/v1/route", {"job_type": "fix", "context": {"mood": "good"}})
    assert (strange.status, strange.code) == (400, "INVALID_REQUEST")


async def test_a_page_of_another_site_can_send_nothing(shown: Shown) -> None:
    refused = await shown.site.ask(
        "POST", "/ingest", b"{}", Content_Type="application/x-ndjson", Origin="https://evil.example"
    )
    assert (refused.status, refused.code) == (403, "UNAUTHORIZED")


async def test_it_stops_within_a_second_though_somebody_is_connected(
    nats_server: EmbeddedNats, database_url: str, tmp_path: Path
) -> None:
    workspace = codebase(tmp_path / "desk", {"Makefile": "all:\n"})
    async with member(nats_server.url, database_url, workspace, http_port=0) as daemon:
        server = daemon.part(WebServer)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        for service in reversed(daemon.services):
            await service.stop()
        assert time.monotonic() - began < 1.0
        writer.close()
