"""Health of centralcloud: by the keys of old, also while the database or NATS is away."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import nats.errors
import psycopg
import pytest
from nats.aio.client import Client

from centralcloud.config import CentralcloudSettings
from centralcloud.daemon import build
from centralcloud.ingest import stream
from shared.embedded.nats import EmbeddedNats
from shared.embedded.ports import free_port
from shared.embedded.postgres import EmbeddedPostgres
from shared.embedded.processes import ProcessIdentity, identify
from shared.web.server import WebServer
from tests.support.http import Site
from tests.support.lifecycle import started
from tests.support.openapi import check
from tests.support.wait import eventually
from tests.support.wire import plain_client


@asynccontextmanager
async def hub(nats_url: str, database_url: str, **changes: Any) -> AsyncIterator[Site]:
    options: dict[str, Any] = {"http_port": 0, "worker_id": "desk"} | changes
    settings = CentralcloudSettings(nats_url=nats_url, database_url=database_url, **options)
    async with build(settings) as services, started(*services):
        yield Site(next((service.port for service in services if isinstance(service, WebServer)), 0))


async def test_health_has_the_keys_of_old_and_says_how_the_process_is(
    nats_server: EmbeddedNats, database_url: str
) -> None:
    async with hub(nats_server.url, database_url) as site:
        await eventually(lambda: _healthy(site))
        await eventually(lambda: _counts(site))
        answer = await site.get("/health")
        said = answer.document
        assert answer.status == 200
        kept = ("status", "healthy", "instance_id", "database", "active_instances", "phase", "role")
        assert {name: said[name] for name in kept} == {
            "status": "ok",
            "healthy": True,
            "instance_id": "desk",
            "database": "connected",
            "active_instances": 0,
            "phase": "running",
            "role": "hybrid",
        }
        checks = said["checks"]
        assert checks.pop("uptime") > 0
        parts = {"nats": "healthy", "leadership": "healthy", "ingest": "healthy", "feed": "healthy"}
        assert checks == {"database": "healthy", "pgmq": "healthy", "workers": "healthy", "memory": "healthy"} | parts
        assert 0 < said["node"]["memory_bytes"] < said["node"]["memory_bytes_max"]
        assert 0 <= said["node"]["cpu"] <= 1
        assert (said["connections"] >= 1, said["streams"], said["queue_depth"]) == (True, 0, 0)
        assert said["buffers"] == {"stream": 0, "unacknowledged": 0}
        assert (await site.get("/health/ready")).document == {
            "ready": True, "phase": "running", "checks": {"database": "healthy", "nats": "healthy"},
        }  # fmt: skip
        assert (await site.get("/health/live")).document == {"live": True}


async def _counts(site: Site) -> bool:
    """Whether the stream is there by now."""
    return (await site.get("/health")).document["buffers"] is not None


async def _healthy(site: Site) -> bool:
    return (await site.get("/health")).status == 200


async def _status(site: Site, path: str, status: int) -> bool:
    return (await site.get(path)).status == status


async def test_while_the_database_is_away_it_lives_and_is_not_ready(
    nats_server: EmbeddedNats, own_postgres: Callable[[], EmbeddedPostgres]
) -> None:
    server = own_postgres()
    server.ensure_database("one")
    async with hub(nats_server.url, server.dsn("one")) as site:
        await eventually(lambda: _healthy(site))
        assert server.child is not None
        server.child.kill()
        await eventually(lambda: _status(site, "/ready", 503))
        assert (await site.get("/live")).status == 200
        away = await site.get("/health")
        assert (away.status, away.document["database"], away.document["active_instances"]) == (
            503,
            "disconnected",
            None,
        )
        assert {away.document["checks"][name] for name in ("database", "pgmq", "workers")} == {"unhealthy"}
        await asyncio.to_thread(server.start)
        await eventually(lambda: _status(site, "/ready", 200), 20)


async def test_a_database_that_hangs_makes_no_check_hang(
    nats_server: EmbeddedNats, own_postgres: Callable[[], EmbeddedPostgres]
) -> None:
    server = own_postgres()
    server.ensure_database("one")
    async with hub(nats_server.url, server.dsn("one")) as site, AsyncExitStack() as stack:
        await eventually(lambda: _healthy(site))
        for process in await _processes(server):
            process.signal(signal.SIGSTOP)
            stack.callback(process.signal, signal.SIGCONT)
        await eventually(lambda: _status(site, "/ready", 503))
        for _ in range(2):
            began = time.monotonic()
            assert (await site.get("/ready")).status == 503
            assert time.monotonic() - began < 3.0
            assert (await site.get("/live")).status == 200
        await stack.aclose()
        await eventually(lambda: _status(site, "/ready", 200), 20)


async def _processes(server: EmbeddedPostgres) -> list[ProcessIdentity]:
    """The server, and those of its processes that answer centralcloud's web part."""
    async with await psycopg.AsyncConnection.connect(server.dsn("one")) as connection:
        found = await connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'centralcloud web'")
        backends = [identify(pid) for (pid,) in await found.fetchall()]
    assert backends
    assert server.child is not None
    return [server.child.identity, *(process for process in backends if process is not None)]


async def test_while_nats_is_away_it_lives_and_is_not_ready(
    own_nats: Callable[[], EmbeddedNats], database_url: str
) -> None:
    broker = own_nats()
    async with hub(broker.url, database_url) as site:
        await eventually(lambda: _healthy(site))
        await asyncio.to_thread(broker.stop)
        await eventually(lambda: _status(site, "/ready", 503))
        said = (await site.get("/health")).document
        assert (said["checks"]["nats"], said["checks"]["database"], said["buffers"]) == ("unhealthy", "healthy", None)
        assert (await site.get("/live")).status == 200
        await asyncio.to_thread(broker.start)
        await eventually(lambda: _status(site, "/ready", 200), 20)


async def test_it_lives_before_the_database_answers(
    nats_server: EmbeddedNats, own_postgres: Callable[[], EmbeddedPostgres]
) -> None:
    server = own_postgres()
    server.ensure_database("one")
    await asyncio.to_thread(server.stop)
    port = free_port(28_080)
    site = Site(port)

    async def serve() -> None:
        async with hub(nats_server.url, server.dsn("one"), http_port=port):
            await asyncio.Event().wait()

    starting = asyncio.create_task(serve())
    try:
        await eventually(lambda: _answers(site))
        ready = await site.get("/ready")
        assert (ready.status, ready.document["phase"]) == (503, "starting")
        early = await site.get("/api/v1/instances")
        assert (early.status, early.code) == (503, "SERVICE_UNAVAILABLE")
        await asyncio.to_thread(server.start)
        await eventually(lambda: _status(site, "/ready", 200), 20)
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)


async def _answers(site: Site) -> bool:
    try:
        return (await site.get("/live")).status == 200
    except OSError:
        return False


async def test_ingest_that_crashes_leaves_everything_else_alive(
    nats_server: EmbeddedNats, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hub(nats_server.url, database_url) as site:
        await eventually(lambda: _healthy(site))
        with monkeypatch.context() as patched:
            patched.setattr(stream, "reconcile", _crash)
            patched.setattr("centralcloud.ingest.consumer.RECONCILE_SECONDS", -1.0)
            await eventually(lambda: _word(site, "ingest", "restarting"), 20)
            assert (await site.get("/live")).status == 200
            assert (await site.get("/ready")).status == 200
            assert (await site.get("/health")).status == 503
        await eventually(lambda: _word(site, "ingest", "healthy"), 20)
        counted = (await site.get("/metrics")).body.decode()
        assert 'flocklore_service_restarts_total{service="ingest"}' in counted


async def _crash(*_: object, **__: object) -> None:
    raise ValueError("a bug")


async def _word(site: Site, check: str, word: str) -> bool:
    return bool((await site.get("/health")).document["checks"][check] == word)


async def test_the_description_of_the_api_follows_the_standard(nats_server: EmbeddedNats, database_url: str) -> None:
    async with hub(nats_server.url, database_url) as site:
        document = (await site.get("/openapi.json")).document
    check(document)
    assert {"/health", "/metrics", "/api/v1/instances", "/api/v1/events"} <= set(document["paths"])


async def test_a_hub_stops_within_a_second_though_a_browser_follows_the_feed(
    nats_server: EmbeddedNats, database_url: str
) -> None:
    async with hub(nats_server.url, database_url) as site:
        await eventually(lambda: _status(site, "/ready", 200))
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"retry:"), 10)
        await eventually(lambda: _follows(site))
        began = time.monotonic()
    assert time.monotonic() - began < 1.0
    assert await asyncio.wait_for(reader.read(), 5) is not None
    writer.close()


async def _follows(site: Site) -> bool:
    return bool((await site.get("/health")).document["streams"] == 1)


async def test_a_process_without_http_tells_its_health_over_nats(nats_server: EmbeddedNats, database_url: str) -> None:
    async with (
        hub(nats_server.url, database_url, role="ingestor", http_port=None),
        plain_client(nats_server.url) as client,
    ):
        reply = await eventually(lambda: _asked(client, "$SRV.STATS.centralcloud.desk"))
        (endpoint,) = msgspec.json.decode(reply or b"")["endpoints"]
        said = endpoint["data"]
        assert (said["instance_id"], said["role"], said["database"]) == ("desk", "ingestor", "connected")
        ping = msgspec.json.decode(await _asked(client, "$SRV.PING.centralcloud") or b"")
        assert (ping["type"], ping["id"]) == ("io.nats.micro.v1.ping_response", "desk")


async def _asked(client: Client, subject: str) -> bytes | None:
    try:
        return (await client.request(subject, b"", timeout=2)).data
    except nats.errors.Error:
        return None
