"""Reads over HTTP from a streaming replica: where they go, how stale they are, and that nothing looks undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from centralcloud.config import CentralcloudSettings
from centralcloud.connections import connect_engines
from centralcloud.daemon import build
from centralcloud.web.api import READS, STANDING
from shared.embedded.nats import EmbeddedNats
from shared.embedded.ports import free_port
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import ConfigurationError
from shared.web.nearby import SOURCE, STALE_BYTES, STALE_SECONDS
from shared.web.server import WebServer
from tests.support.http import Answer, Site
from tests.support.lifecycle import started
from tests.support.servers import scratch_directory
from tests.support.streaming import Node, Pair, streaming_pair
from tests.support.wait import eventually

NEEDED = {"/series": "?name=instances"}
SCHEDULES = "/api/v1/schedules"


@pytest.fixture(scope="module")
def pair(initialised: Path) -> Iterator[Pair]:
    """Give two servers that are whole again after each test."""
    with streaming_pair(initialised) as made:
        yield made


@pytest.fixture
def own_pair(initialised: Path) -> Iterator[Pair]:
    """Give two servers to be broken."""
    with streaming_pair(initialised) as made:
        yield made


@pytest.fixture(scope="module")
def name(pair: Pair) -> str:
    """Give the name of a database on both, that is left as it was found."""
    return pair.create_database("central")


@pytest.fixture
def own_name(own_pair: Pair) -> str:
    return own_pair.create_database("central")


@asynccontextmanager
async def hub(nats: EmbeddedNats, pair: Pair, name: str, **changes: Any) -> AsyncIterator[Site]:
    """Run a hub that answers, on the primary and the replica."""
    told: dict[str, Any] = {
        "role": "web",
        "http_port": 0,
        "database_url": pair.primary.url(name),
        "database_read_url": pair.replica.url(name),
        "http_requests_per_second": 10_000.0,
    }
    settings = CentralcloudSettings(nats_url=nats.url, **(told | changes))
    async with build(settings) as services, started(*services):
        yield Site(next(service.port for service in services if isinstance(service, WebServer)))


async def reads_from(site: Site, source: str, path: str = SCHEDULES) -> Answer:
    async def check() -> Answer | None:
        answer = await site.get(path)
        assert answer.status == 200, answer.body
        return answer if answer.headers[SOURCE] == source else None

    found = await eventually(check, 20, what=f"read from {source}")
    assert found is not None
    return found


async def health(site: Site) -> Any:
    return (await site.get("/health")).document


def is_enabled(answer: Answer) -> bool:
    return next(bool(one["enabled"]) for one in answer.document["items"] if one["name"] == "statistics")


async def value(site: Site, metric: str) -> float | None:
    lines = (await site.get("/metrics")).body.decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric)), None)


async def test_every_list_and_status_can_come_from_the_replica(
    pair: Pair, name: str, nats_server: EmbeddedNats
) -> None:
    async with hub(nats_server, pair, name) as site:
        await reads_from(site, "replica")
        for row in (*READS, *STANDING):
            if "{" not in row.path:
                answer = await site.get(f"/api/v1{row.path}{NEEDED.get(row.path, '')}")
                assert (row.path, answer.status, answer.headers.get(SOURCE)) == (row.path, 200, "replica")
                assert float(answer.headers[STALE_SECONDS]) < 5
        missing = await site.get("/api/v1/instances/nobody")  # the primary is asked before that is said
        assert missing.status == 404
        assert await value(site, 'flocklore_replica_reads_total{source="primary",why="missing"}') == 1
        said = await health(site)
        assert (said["checks"]["replica"], set(said["replica"])) == ("healthy", {"seconds", "bytes"})


async def test_what_is_shown_late_is_said_to_be_stale(pair: Pair, name: str, nats_server: EmbeddedNats) -> None:
    async with hub(nats_server, pair, name, database_read_stale_seconds=600.0) as site:
        fresh = await reads_from(site, "replica")
        assert (fresh.headers[STALE_SECONDS], fresh.headers[STALE_BYTES]) == ("0.000", "0")
        await asyncio.to_thread(pair.pause)
        try:
            pair.primary.execute("CREATE TABLE news AS SELECT generate_series(1, 1000)")
            late = await eventually(lambda: _bytes_when_stale(site, 0.5))
            assert await eventually(lambda: _bytes_when_stale(site, 1.5)) >= late > 1000
            said = await health(site)
            assert (said["checks"]["replica"], said["status"]) == ("healthy", "ok")
            assert said["replica"]["seconds"] >= 1.0
            assert (await value(site, "flocklore_replica_lag_seconds") or 0) >= 1.0
            assert (await value(site, "flocklore_replica_lag_bytes") or 0) > 1000
        finally:
            pair.resume()
        await eventually(lambda: _is_current(site))
        pair.primary.execute("DROP TABLE news")


async def _bytes_when_stale(site: Site, seconds: float) -> int:
    """How far the replica is behind that was read, once it is that much."""
    answer = await site.get(SCHEDULES)
    assert answer.headers[SOURCE] == "replica"
    return int(answer.headers[STALE_BYTES]) if float(answer.headers[STALE_SECONDS]) > seconds else 0


async def _is_current(site: Site) -> bool:
    answer = await site.get(SCHEDULES)
    return answer.status == 200 and (answer.headers[STALE_SECONDS], answer.headers[STALE_BYTES]) == ("0.000", "0")


async def test_a_replica_too_far_behind_is_passed_over(pair: Pair, name: str, nats_server: EmbeddedNats) -> None:
    async with hub(nats_server, pair, name, database_read_stale_seconds=0.2) as site:
        await reads_from(site, "replica")
        await asyncio.to_thread(pair.pause)
        try:
            pair.primary.execute("CREATE TABLE news ()")
            answer = await reads_from(site, "primary")
            assert answer.headers[STALE_SECONDS] == "0.000"
            await eventually(lambda: _says(site, "stale"))
        finally:
            pair.resume()
        await reads_from(site, "replica")
        pair.primary.execute("DROP TABLE news")


async def _says(site: Site, word: str) -> bool:
    return bool((await health(site))["checks"]["replica"] == word)


async def test_what_was_changed_here_never_looks_undone(pair: Pair, name: str, nats_server: EmbeddedNats) -> None:
    async with hub(nats_server, pair, name, database_read_stale_seconds=600.0) as site:
        assert is_enabled(await reads_from(site, "replica"))
        await asyncio.to_thread(pair.pause)
        try:
            for _ in range(3):
                assert (await site.post("/api/v1/schedules/statistics/disable")).status == 200
                assert not is_enabled(await site.get(SCHEDULES))
                assert (await site.post("/api/v1/schedules/statistics/enable")).status == 200
                assert is_enabled(await site.get(SCHEDULES))
            assert (await site.post("/api/v1/schedules/statistics/disable")).status == 200
            last = await site.get(SCHEDULES)
            assert (is_enabled(last), last.headers[SOURCE]) == (False, "primary")
        finally:
            pair.resume()
        assert not is_enabled(await reads_from(site, "replica"))
        assert (await site.post("/api/v1/schedules/statistics/enable")).status == 200


async def test_a_replica_without_the_schema_of_this_release_is_not_read_yet(
    pair: Pair, nats_server: EmbeddedNats
) -> None:
    name = await asyncio.to_thread(pair.create_database, "new")
    await asyncio.to_thread(pair.pause)
    try:
        async with hub(nats_server, pair, name, database_read_stale_seconds=600.0) as site:
            await eventually(lambda: _says(site, "healthy"))
            assert (await site.get(SCHEDULES)).headers[SOURCE] == "primary"
            pair.resume()
            await reads_from(site, "replica")
    finally:
        pair.resume()


async def test_who_changed_something_at_another_hub_may_ask_for_the_primary(
    pair: Pair, name: str, nats_server: EmbeddedNats
) -> None:
    async with hub(nats_server, pair, name) as site:
        await reads_from(site, "replica")
        answer = await site.get(SCHEDULES, Cache_Control="no-cache")
        assert answer.headers[SOURCE] == "primary"


async def test_while_the_replica_is_away_the_primary_is_read(pair: Pair, name: str, nats_server: EmbeddedNats) -> None:
    async with hub(nats_server, pair, name) as site:
        await reads_from(site, "replica")
        pair.replica.kill()
        for _ in range(20):
            assert (await site.get(SCHEDULES)).status == 200
        await reads_from(site, "primary")
        await eventually(lambda: _says(site, "away"))
        assert (await health(site))["replica"] is None
        assert (await site.get("/ready")).status == 200
        await asyncio.to_thread(pair.replica.start)
        await reads_from(site, "replica")
        await eventually(lambda: _says(site, "healthy"))


async def test_while_the_primary_is_away_the_replica_answers_and_says_how_stale_it_may_be(
    own_pair: Pair, own_name: str, nats_server: EmbeddedNats
) -> None:
    both = {"database_url": own_pair.url(own_name), "database_read_stale_seconds": 0.1}
    async with hub(nats_server, own_pair, own_name, **both) as site:
        await reads_from(site, "replica")
        own_pair.primary.kill()
        await eventually(lambda: _is_stale(site, 1.0), 20)
        await asyncio.to_thread(own_pair.promote)
        await eventually(lambda: _is_current(site), 20)


async def _is_stale(site: Site, seconds: float) -> bool:
    answer = await site.get(SCHEDULES)
    assert (answer.status, answer.headers[SOURCE]) == (200, "replica")
    return float(answer.headers[STALE_SECONDS]) > seconds


async def test_a_replica_that_went_its_own_way_is_not_read(
    own_pair: Pair, own_name: str, nats_server: EmbeddedNats
) -> None:
    async with hub(nats_server, own_pair, own_name) as site:
        await reads_from(site, "replica")
        await asyncio.to_thread(own_pair.promote)  # while the primary lives: two histories from here on
        await reads_from(site, "primary")
        await eventually(lambda: _says(site, "foreign"))


async def test_a_replica_of_another_cluster_is_not_read(pair: Pair, name: str, nats_server: EmbeddedNats) -> None:
    with scratch_directory() as directory:
        other = EmbeddedPostgres(directory)
        await asyncio.to_thread(other.start)
        other.stop()
        (directory / "data" / "standby.signal").touch()
        rules = directory / "data" / "pg_hba.conf"
        rules.write_text("host all all 127.0.0.1/32 trust\n" + rules.read_text())
        follower = Node(directory, free_port(0))
        await asyncio.to_thread(follower.start)
        try:
            async with hub(nats_server, pair, name, database_read_url=follower.url()) as site:
                await eventually(lambda: _says(site, "foreign"))
                await reads_from(site, "primary")
        finally:
            follower.stop()


def test_an_address_of_a_replica_that_makes_no_sense_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^database_read_url is not a URL"):
        connect_engines("postgresql://me@db/x", CentralcloudSettings(database_read_url="mysql://me@db/x"))
