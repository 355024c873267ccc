"""The calibration from observations to the instance that ranks with it: fitted, asked for, kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.calibrate import calibrate
from centralcloud.learning.observation import LANGUAGE_KIND, Observation
from centralcloud.queries.service import Queries
from instance.store import calibrations
from instance.sync.downlink import Downlink
from schemas.calibration import FACTORS
from schemas.subjects import Sender, inbox_prefix
from shared.bus import Bus
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from shared.metrics import Metrics
from tests.support.asking import hub_bus
from tests.support.databases import central_engine, instance_engine
from tests.support.lifecycle import started
from tests.support.observed import TENANT, observation, observe

REPOSITORIES = 6
FILES = 200
USUAL, RARE = 40, 4
"""Patterns all repositories have in many files, and patterns each has for itself in two."""


@pytest.fixture
async def central(make_database: Callable[[], str]) -> AsyncIterator[AsyncEngine]:
    async with central_engine(make_database()) as engine:
        yield engine


def said(repository: int) -> list[Observation]:
    """What one instance says of its one repository."""
    instance, place = f"instance-{repository}", f"repository {repository}"
    language = observation(
        "python", instance, place, kind=LANGUAGE_KIND, language="", view="", name="python", files=FILES
    )
    usual = [observation(f"usual {n}", instance, place, files=20 + n + repository) for n in range(USUAL)]
    rare = [observation(f"rare {repository} {n}", instance, place, files=2) for n in range(RARE)]
    return [language, *usual, *rare]


async def test_what_the_hub_fits_is_what_an_instance_ranks_with(
    central: AsyncEngine, make_database: Callable[[], str], nats_server: EmbeddedNats
) -> None:
    for repository in range(REPOSITORIES):
        await observe(central, *said(repository))
    tables = {table.language: table for table in await calibrate(central, TENANT)}
    assert tables.keys() == {"", "python"}
    assert tables["python"].repositories == REPOSITORIES
    assert len(tables["python"].factors) == FACTORS
    shared = tables["python"].factor(seen=0, files=0, repositories=REPOSITORIES - 1, bits=0.0)
    assert shared > 0.5, "what all others have comes true unseen"
    prefix = inbox_prefix(Sender(TENANT, "ann"))
    bus = Bus([nats_server.url], client_name="ann", inbox_prefix=prefix, metrics=Metrics())
    async with (
        instance_engine(make_database()) as engine,
        hub_bus(nats_server.url, lambda hub: Queries(central, hub)),
        started(bus),
    ):
        await bus.connected.wait()
        await Downlink(engine, bus, TENANT, Metrics()).calibrate()
        async with transaction(engine) as connection:
            assert await calibrations.by_language(connection) == tables


async def test_too_few_repositories_make_no_table(central: AsyncEngine) -> None:
    for repository in range(2):
        await observe(central, *said(repository))
    assert await calibrate(central, TENANT) == []


async def test_the_same_observations_in_any_order_make_the_same_tables(
    central: AsyncEngine, make_database: Callable[[], str]
) -> None:
    for repository in range(REPOSITORIES):
        await observe(central, *said(repository))
    tables = await calibrate(central, TENANT)
    async with central_engine(make_database()) as other:
        for repository in reversed(range(REPOSITORIES)):
            await observe(other, *reversed(said(repository)))
        assert await calibrate(other, TENANT) == tables
