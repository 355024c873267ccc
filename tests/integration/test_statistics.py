from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import aggregate
from centralcloud.schedules import clean_up, report_statistics, tend_registry
from centralcloud.store import statistics
from schemas import subjects
from schemas.insights import GlobalStatistics
from shared.bus import settled
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from tests.support.asking import asker, hub_bus
from tests.support.databases import central_engine
from tests.support.observed import TENANT, digest, observation, observe, shared_by


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        yield engine


async def measured(engine: AsyncEngine, tenant: str = TENANT) -> dict[str, object]:
    async with transaction(engine) as connection:
        found = await statistics.measure(connection, tenant)
    flat = structs.asdict(found) | structs.asdict(found.patterns)
    return {name: value for name, value in flat.items() if name not in ("timestamp", "tenant", "patterns")}


async def execute(engine: AsyncEngine, statement: str, **values: object) -> list[tuple[object, ...]]:
    async with transaction(engine) as connection:
        result = await connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []


async def test_an_empty_database_gives_zeros(engine: AsyncEngine) -> None:
    assert set((await measured(engine)).values()) == {0}


async def test_every_number_counts_what_it_says(engine: AsyncEngine) -> None:
    await shared_by(engine, "loop", ["ann", "bob"])
    await observe(
        engine,
        observation("layered", "ann", "r1", kind="architecture.pattern", language=""),
        observation("table", "bob", "r2", kind="data.schema", language=""),
        observation("gone", "bob", "r3", forgotten=True),
    )
    await shared_by(engine, "elsewhere", ["eve"], tenant="other")
    await aggregate(engine, TENANT)
    await execute(
        engine,
        "UPDATE observations SET first_received_at = now() - interval '2 days' "
        "WHERE fingerprint = :fingerprint AND instance = 'ann'",
        fingerprint=digest("loop"),
    )
    await execute(
        engine,
        """
        INSERT INTO instance_registry (tenant, instance_id, status, holder, last_heartbeat) VALUES
            ('default', 'ann', 'online', 'h', now()), ('default', 'bob', 'offline', 'h', now()),
            ('default', 'cyd', 'online', 'h', now() - interval '2 minutes')""",
    )
    await execute(
        engine,
        """
        INSERT INTO dead_letters (tenant, subject, body, error, replayed_at) VALUES
            ('default', 'a', '', 'e', NULL), ('default', 'b', '', 'e', now())""",
    )
    assert await measured(engine) == {
        "active_instances": 1, "known_instances": 3, "repositories": 4, "observations": 4, "code": 1,
        "architecture": 1, "data": 1, "total": 3, "insights": 1, "insights_changed_24h": 1, "patterns_new_24h": 2,
        "dead_letters": 1,
    }  # fmt: skip


async def test_reports_are_kept_and_broadcast(engine: AsyncEngine, nats_server: EmbeddedNats) -> None:
    await shared_by(engine, "loop", ["ann", "bob"])
    async with asker(nats_server.url) as client, hub_bus(nats_server.url) as bus:
        heard = await client.subscribe(subjects.STATISTICS_GLOBAL)
        await settled(client)
        await report_statistics(engine, bus)
        message = await heard.next_msg(timeout=5)
    told = msgspec.json.decode(message.data, type=GlobalStatistics)
    async with transaction(engine) as connection:
        assert await statistics.history(connection, TENANT, 10) == [told]
    assert (told.patterns.total, (message.headers or {})["ce-type"]) == (1, "global_statistics")


async def test_cleaning_up_spares_what_is_unconfirmed_waiting_or_young(engine: AsyncEngine) -> None:
    epoch = digest("epoch")
    await execute(
        engine,
        "INSERT INTO watermarks (tenant, instance, epoch, wm) VALUES ('default', 'ann', :epoch, 2)",
        epoch=epoch,
    )
    await execute(
        engine,
        """
        INSERT INTO received_envelopes (tenant, instance, epoch, first_seq, last_seq, hashes, body, received_at)
        SELECT 'default', 'ann', :epoch, seq, seq, '12345678', '', now() - make_interval(days => age)
          FROM (VALUES (1, 15), (2, 13), (3, 15)) AS v (seq, age)""",
        epoch=epoch,
    )
    await execute(
        engine,
        """
        INSERT INTO dead_letters (tenant, subject, body, error, replayed_at) VALUES
            ('default', 'old', '', 'e', now() - interval '15 days'), ('default', 'young', '', 'e', now()),
            ('default', 'waiting', '', 'e', NULL)""",
    )
    await clean_up(engine)
    assert await execute(engine, "SELECT first_seq FROM received_envelopes ORDER BY 1") == [(2,), (3,)]
    assert await execute(engine, "SELECT subject FROM dead_letters ORDER BY 1") == [("waiting",), ("young",)]


async def test_the_silent_go_offline_and_only_who_left_nothing_is_forgotten(engine: AsyncEngine) -> None:
    await shared_by(engine, "loop", ["known"])
    await execute(
        engine,
        """
        INSERT INTO instance_registry (tenant, instance_id, status, holder, last_heartbeat, quarantined_at)
        SELECT 'default', name, 'online', 'h', now() - make_interval(secs => silence), quarantined
          FROM (VALUES ('here', 10, NULL), ('silent', 400, NULL), ('gone', 4000, NULL), ('known', 4000, NULL),
                       ('bad', 4000, now())) AS v (name, silence, quarantined)""",
    )
    await tend_registry(engine)
    assert await execute(engine, "SELECT instance_id, status FROM instance_registry ORDER BY 1") == [
        ("bad", "offline"), ("here", "online"), ("known", "offline"), ("silent", "offline"),
    ]  # fmt: skip
