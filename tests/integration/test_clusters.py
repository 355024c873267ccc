from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.aggregate import aggregate, rebuild
from centralcloud.store import insights
from shared.database import transaction
from tests.support.databases import central_engine
from tests.support.observed import TENANT, digest, observation, observe

SHAPE = 'with open ( $1 , "rb" ) as $2 : $3 = json . loads ( $2 . read ( ) ) ; return $3 [ "S" ]'


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with central_engine(database_url) as engine:
        yield engine


async def known(engine: AsyncEngine, name: str, template: str, instances: Sequence[str], **changes: object) -> None:
    await observe(engine, *(observation(name, one, f"of {one}", template=template, **changes) for one in instances))


async def clusters(engine: AsyncEngine, *names: str) -> list[str]:
    async with transaction(engine) as connection:
        found = await insights.of_patterns(connection, TENANT, [digest(name) for name in names])
    return [found[digest(name)].cluster for name in names]


async def test_near_duplicates_are_folded_behind_the_strongest(engine: AsyncEngine) -> None:
    await known(engine, "binary", SHAPE, ["ann", "bob"])
    await known(engine, "text", SHAPE.replace('"rb"', '"r"'), ["ann", "bob", "cyd"])
    await known(engine, "alone", "for $1 in $2 : {…}", ["ann", "bob"])
    await known(engine, "elsewhere", SHAPE, ["ann", "bob"], language="go")
    await aggregate(engine, TENANT)
    assert await clusters(engine, "binary", "text", "alone", "elsewhere") == [digest("text")] * 2 + ["", ""]


async def test_another_becomes_the_strongest_and_a_twin_leaves(engine: AsyncEngine) -> None:
    await known(engine, "binary", SHAPE, ["ann", "bob"])
    await known(engine, "text", SHAPE.replace('"rb"', '"r"'), ["ann", "bob", "cyd"])
    await aggregate(engine, TENANT)
    await known(engine, "binary", SHAPE, ["cyd", "dan"])
    await aggregate(engine, TENANT)
    assert await clusters(engine, "binary", "text") == [digest("binary")] * 2
    await known(engine, "text", SHAPE, ["bob", "cyd"], version=2, forgotten=True)
    await aggregate(engine, TENANT)
    assert await clusters(engine, "binary", "text") == ["", ""]


async def test_what_was_merged_in_haste_is_folded_later_and_then_stays(engine: AsyncEngine) -> None:
    await known(engine, "binary", SHAPE, ["ann", "bob"])
    await known(engine, "text", SHAPE.replace('"rb"', '"r"'), ["ann", "bob", "cyd"])
    assert (await aggregate(engine, TENANT, "new")).changed == 2
    assert await clusters(engine, "binary", "text") == ["", ""]
    assert (await aggregate(engine, TENANT)).changed == 2
    assert (await aggregate(engine, TENANT)).changed == 0
    assert (await rebuild(engine, TENANT)).changed == 0
    assert await clusters(engine, "binary", "text") == [digest("text")] * 2
