from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import aggregate, rebuild
from centralcloud.quarantine import quarantine, release
from centralcloud.store import insights, observations
from schemas.codec import encode
from schemas.insights import Insight
from shared.database import transaction
from shared.errors import NotFoundError
from tests.support.databases import central_engine
from tests.support.observed import TENANT, digest, shared_by


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        await shared_by(engine, "common", ["ann", "bob", "mallory"])
        await shared_by(engine, "doubtful", ["ann", "mallory"])
        await shared_by(engine, "honest", ["ann", "bob"])
        await aggregate(engine, TENANT)
        yield engine


async def stored(engine: AsyncEngine) -> dict[str, Insight]:
    async with transaction(engine) as connection:
        found = await insights.changed_since(connection, TENANT, 0, await insights.head(connection, TENANT), 1_000)
    return {one.id: structs.replace(one, version=0) for one in found}


async def test_quarantine_concludes_as_if_the_instance_had_never_been(engine: AsyncEngine) -> None:
    result = await quarantine(engine, TENANT, "mallory", "reported a million files")
    found = await stored(engine)
    assert (result.changed, result.revoked) == (3, 1)
    assert found[digest("doubtful")].state == "revoked"
    assert found[digest("common")].contributors == ("ann", "bob")
    assert found[digest("honest")].rate == 1.0  # of two repositories, no longer of three


async def test_undo_brings_everything_back_byte_for_byte(engine: AsyncEngine) -> None:
    before = encode(await stored(engine))
    await quarantine(engine, TENANT, "mallory", "")
    await release(engine, TENANT, "mallory")
    assert encode(await stored(engine)) == before
    assert (await rebuild(engine, TENANT)).changed == 0


async def test_what_it_says_meanwhile_counts_only_after_the_undo(engine: AsyncEngine) -> None:
    await quarantine(engine, TENANT, "mallory", "")
    await shared_by(engine, "late", ["ann", "mallory"])
    await aggregate(engine, TENANT)
    assert digest("late") not in await stored(engine)
    await release(engine, TENANT, "mallory")
    assert (await stored(engine))[digest("late")].instances == 2


async def test_its_evidence_stays_visible_and_is_marked(engine: AsyncEngine) -> None:
    await quarantine(engine, TENANT, "mallory", "")
    async with transaction(engine) as connection:
        evidence = await observations.evidence(connection, TENANT, digest("common"), 10)
    assert [(one.instance, one.trusted) for one in evidence] == [("ann", True), ("bob", True), ("mallory", False)]


async def test_an_unknown_instance_is_not_found(engine: AsyncEngine) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        await quarantine(engine, TENANT, "nobody", "")
    with pytest.raises(NotFoundError, match="nobody"):
        await release(engine, TENANT, "nobody")
