from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregator import Aggregator
from centralcloud.quarantine import quarantine
from schemas import subjects
from schemas.codec import decode
from schemas.insights import InsightUpdated, PatternAggregation
from shared.bus import settled
from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.metrics import Metrics
from tests.support.asking import asker, hub_bus
from tests.support.databases import central_engine
from tests.support.lifecycle import started, stress
from tests.support.observed import TENANT, shared_by


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        yield engine


async def test_what_was_notified_is_announced_promptly(engine: AsyncEngine, nats_server: EmbeddedNats) -> None:
    async with asker(nats_server.url) as client, hub_bus(nats_server.url) as bus:
        aggregated = await client.subscribe(subjects.INSIGHTS)
        updated = await client.subscribe(subjects.CACHE_UPDATES)
        await settled(client)
        aggregator = Aggregator(engine, bus, Metrics(), debounce_seconds=0.05, poll_seconds=600)
        async with started(aggregator):
            name = await shared_by(engine, "loop", ["ann", "bob"])
            aggregator.notify()
            hint = await aggregated.next_msg(timeout=5)
            update = await updated.next_msg(timeout=5)
    told = decode(hint.data, PatternAggregation)
    assert (told.tenant, told.previous_head, told.head, told.summary.code_patterns) == (TENANT, 0, 1, 1)
    assert [(one.id, one.pattern_name, one.instances, one.ecosystems) for one in told.patterns] == [
        (name, "statement", 2, ("python",))
    ]
    assert update.subject == subjects.cache_update(name)
    assert decode(update.data, InsightUpdated).insight.version == 1
    assert (update.headers or {})["ce-type"] == "knowledge.cache.update.v1"


async def test_a_lost_signal_is_healed_by_the_poll(engine: AsyncEngine, nats_server: EmbeddedNats) -> None:
    async with asker(nats_server.url) as client, hub_bus(nats_server.url) as bus:
        aggregated = await client.subscribe(subjects.INSIGHTS)
        await settled(client)
        aggregator = Aggregator(engine, bus, Metrics(), debounce_seconds=0.01, poll_seconds=0.05)
        async with started(aggregator):
            await shared_by(engine, "loop", ["ann", "bob"])
            assert decode((await aggregated.next_msg(timeout=5)).data, PatternAggregation).head == 1


async def test_what_somebody_else_changed_is_announced_too(engine: AsyncEngine, nats_server: EmbeddedNats) -> None:
    async with asker(nats_server.url) as client, hub_bus(nats_server.url) as bus:
        aggregated = await client.subscribe(subjects.INSIGHTS)
        await settled(client)
        async with started(Aggregator(engine, bus, Metrics(), debounce_seconds=0.01, poll_seconds=0.05)):
            await shared_by(engine, "loop", ["ann", "bob"])
            assert decode((await aggregated.next_msg(timeout=5)).data, PatternAggregation).head == 1
            await quarantine(engine, TENANT, "bob", "")
            assert decode((await aggregated.next_msg(timeout=5)).data, PatternAggregation).head == 2


async def test_asked_for_it_goes_through_every_tenant(engine: AsyncEngine, nats_server: EmbeddedNats) -> None:
    await shared_by(engine, "loop", ["ann", "bob"], tenant="blue")
    await shared_by(engine, "loop", ["ann"], tenant="green")
    async with hub_bus(nats_server.url) as bus:
        results = await Aggregator(engine, bus, Metrics()).request()
    assert [(one.tenant, one.changed) for one in results] == [("blue", 1), ("green", 0)]


async def test_it_starts_and_stops_in_any_order(engine: AsyncEngine, nats_server: EmbeddedNats) -> None:
    async with hub_bus(nats_server.url) as bus:
        await stress(Aggregator(engine, bus, Metrics(), debounce_seconds=0.001, poll_seconds=0.001))


async def test_a_database_that_is_away_is_waited_for(
    own_postgres: Callable[[], EmbeddedPostgres], nats_server: EmbeddedNats
) -> None:
    postgres = own_postgres()
    async with central_engine(postgres.dsn("postgres")) as engine, hub_bus(nats_server.url) as bus:
        await shared_by(engine, "loop", ["ann", "bob"])
        postgres.stop()
        aggregator = Aggregator(engine, bus, Metrics(), debounce_seconds=0.01, poll_seconds=0.05)
        async with started(aggregator), asker(nats_server.url) as client:
            aggregated = await client.subscribe(subjects.INSIGHTS)
            await settled(client)
            await asyncio.to_thread(postgres.start)
            assert decode((await aggregated.next_msg(timeout=10)).data, PatternAggregation).head == 1
