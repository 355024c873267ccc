"""How many connections there are, how long they are waited for, and what is refused when there are too few."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud.config import CentralcloudSettings
from centralcloud.daemon import build
from centralcloud.store.sessions import limit_idle_transactions
from centralcloud.store.tenancy import of_tenant
from instance.config import InstanceSettings
from instance.daemon import build as build_instance
from shared.connections import Connections, PoolLimits, http_pool, work_pool
from shared.database import connect_engine, transaction
from shared.embedded.nats import EmbeddedNats
from shared.errors import OverloadedError
from shared.measuring import watch_pool
from shared.metrics import Metrics
from shared.web.endpoint import Endpoint, Nothing, reading
from shared.web.server import WebServer
from tests.support.databases import central_engine
from tests.support.http import Site, served
from tests.support.lifecycle import started

SET_FOR_THE_SESSION = text("SELECT name FROM pg_settings WHERE source = 'session'")
LEFT_BEHIND = text("""
    SELECT current_user = session_user, coalesce(current_setting('flocklore.tenant', true), ''),
           (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
           (SELECT count(*) FROM pg_class WHERE relpersistence = 't')
""")


async def test_who_would_have_to_wait_for_long_is_asked_to_come_again(database_url: str) -> None:
    engine = connect_engine(database_url, application="test", pool=PoolLimits(1, 1, 0.2))
    metrics, free, taken = Metrics(), asyncio.Event(), asyncio.Semaphore(0)
    watch_pool(metrics, "web", engine)

    async def hold(connection: AsyncConnection, _query: Nothing) -> int:
        taken.release()
        await free.wait()
        return int((await connection.execute(text("SELECT 1"))).scalar_one())

    try:
        async with served(Endpoint("GET", "/", Nothing, reading(engine, hold), int, "")) as site:
            held = [asyncio.create_task(site.get("/")) for _ in range(2)]
            for _ in held:
                await asyncio.wait_for(taken.acquire(), 10)
            refused = await site.get("/")
            assert (refused.status, refused.code, refused.headers["retry-after"]) == (
                503,
                "INSUFFICIENT_RESOURCES",
                "2",
            )
            assert "pool" not in refused.document["error"]["message"]  # how it is made is nobody's business
            free.set()
            assert [(await one).document for one in held] == [1, 1]
            assert (await site.get("/")).status == 200
        waited = metrics.registry.get_sample_value("flocklore_database_wait_seconds_sum", {"pool": "web"})
        counted = metrics.registry.get_sample_value("flocklore_database_wait_seconds_count", {"pool": "web"})
        assert waited is not None
        assert (counted, waited >= 0.2) == (4, True)
        async with engine.connect(), engine.connect():
            with pytest.raises(OverloadedError, match="database_pool_size"):
                async with transaction(engine):
                    pass
    finally:
        await engine.dispose()


@pytest.mark.parametrize(
    ("url", "limits"),
    [
        ("postgresql://me@db/x", (3, 4)),
        ("postgresql://me@db/x?pool_max_conns=25&pool_min_conns=5", (5, 20)),
        ("postgresql://me@db/x?sslmode=require&pool_max_conns=2", (2, 0)),
        ("postgresql://me@db/x?pool_min_conns=9", (9, 0)),
        ("postgresql://one,two/x?pool_min_conns=1", (1, 6)),
    ],
)
def test_how_many_there_are_is_said_by_the_settings_or_by_the_url(url: str, limits: tuple[int, int]) -> None:
    told = work_pool(CentralcloudSettings(database_pool_size=3, database_pool_overflow=4)).told_by(url)
    assert (told.size, told.overflow) == limits
    pool = connect_engine(url, application="test", pool=told).pool
    assert isinstance(pool, Connections)
    assert (pool.size(), pool.connections_max) == (limits[0], sum(limits))


def test_work_waits_for_its_turn_and_people_do_not() -> None:
    settings = CentralcloudSettings(database_wait_seconds=0.5)
    assert (work_pool(settings).wait_seconds, http_pool(settings).wait_seconds) == (30.0, 0.5)


async def test_a_transaction_leaves_nothing_behind_on_its_connection(database_url: str) -> None:
    """Between us and the server a pooler may give each transaction another connection."""
    async with central_engine(database_url):
        pass
    engine = connect_engine(database_url, application="test", pool=PoolLimits(1, 0))
    limit_idle_transactions(engine)
    try:
        async with of_tenant(engine, "ann") as connection:
            await connection.execute(text("SELECT count(*) FROM insights"))
        async with transaction(engine) as connection:
            assert set((await connection.execute(SET_FOR_THE_SESSION)).scalars()) == {
                "idle_in_transaction_session_timeout"
            }
            assert tuple((await connection.execute(LEFT_BEHIND)).one()) == (True, "", 0, 0)
    finally:
        await engine.dispose()


async def test_a_hub_keeps_to_its_limits(nats_server: EmbeddedNats, database_url: str) -> None:
    settings = CentralcloudSettings(
        nats_url=nats_server.url, database_url=database_url, database_pool_size=2, database_pool_overflow=1, http_port=0
    )
    async with build(settings) as services, started(*services):
        await _shows(next(service for service in services if isinstance(service, WebServer)), {"work": 3, "web": 3})


async def test_an_instance_keeps_apart_what_it_works_with_and_what_is_asked(database_url: str, tmp_path: Path) -> None:
    settings = InstanceSettings(
        instance_id="ann", database_url=f"{database_url}&pool_max_conns=4", workspace=str(tmp_path), http_port=0
    )
    async with build_instance(settings) as services, started(*services):
        await _shows(next(service for service in services if isinstance(service, WebServer)), {"work": 4, "web": 4})


async def _shows(server: WebServer, limits: dict[str, int]) -> None:
    shown = (await Site(server.port).get("/metrics")).body.decode()
    for pool, most in limits.items():
        assert f'flocklore_database_connections_max{{pool="{pool}"}} {most:.1f}' in shown
