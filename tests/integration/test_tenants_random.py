"""What a tenant is told does not depend on who else is on the hub: it is what a hub of its own would tell it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.aggregate import aggregate
from centralcloud.queries.service import ROUTES
from centralcloud.store import activity, samples
from centralcloud.store.tenancy import ROLE, of_tenant
from centralcloud.web.api import READS, SHARED
from schemas.events import Event
from shared.database import transaction
from shared.errors import FlockloreError
from tests.support.databases import central_engine
from tests.support.known import learned, opinion, register, reported, results, take_in
from tests.support.observed import digest
from tests.support.tenants import columns_of_tenants

TENANTS: Final = ("acme", "globex", "initech")
INSTANCES: Final = ("ann", "bob", "cyd")
"""The same names in every tenant, as patterns and repositories are the same: what is mixed up shows in the numbers."""

PATTERNS: Final = tuple(f"pattern {number}" for number in range(6))
WORDS: Final = {"instance": "ann", "fingerprint": digest(PATTERNS[0]), "id": digest(PATTERNS[0]),
                "insight_id": digest(PATTERNS[0]), "owner": TENANTS[0], "name": "learned"}  # fmt: skip
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)")
_OF_THE_SERVER: Final = ("last_activity", "id", "next", "seconds_since_heartbeat", "last_id")


async def say(engine: AsyncEngine, tenant: str, chance: random.Random) -> None:
    """Have the instances of a tenant say some things; the same chance says the same."""
    names = chance.sample(INSTANCES, chance.randint(2, 3))
    await register(engine, *names, tenant=tenant)
    for name in names:
        said: list[Event] = [
            learned(pattern, f"repository {chance.randint(1, 3)}", files=chance.randint(1, 9))
            for pattern in chance.sample(PATTERNS, chance.randint(2, 6))
        ]
        said.append(opinion(chance.choice(PATTERNS)))
        said.append(results(chance.choice(("small", "large")), [chance.randint(1, 999)] * chance.randint(1, 5), 1))
        said.append(reported({"python": chance.randint(5, 50)}))
        await take_in(engine, name, 1, *said, tenant=tenant)
    await aggregate(engine, tenant)
    async with transaction(engine) as connection:
        await samples.take(connection, tenant)


async def place(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await activity.place_all(connection)


@pytest.mark.parametrize("seed", [1, 2])
async def test_three_tenants_on_one_hub_are_told_what_each_would_be_told_alone(
    make_database: Callable[[], str], seed: int
) -> None:
    async with AsyncExitStack() as stack:
        together, *alone = [await stack.enter_async_context(central_engine(make_database())) for _ in range(4)]
        for tenant, own in zip(TENANTS, alone, strict=True):
            for engine in (together, own):
                await say(engine, tenant, random.Random(f"{seed} {tenant}"))  # noqa: S311 - a reproducible world
        for engine in (together, *alone):
            await place(engine)
        for tenant, own in zip(TENANTS, alone, strict=True):
            await _has_its_own_rows_alone(together, tenant)
            mixed, pure = [await _told(engine, tenant) for engine in (together, own)]
            for what, answer in pure.items():
                assert mixed[what] == answer, (tenant, what)
        assert len({msgspec.json.encode(await _told(together, tenant)) for tenant in TENANTS}) == 3


async def _has_its_own_rows_alone(engine: AsyncEngine, tenant: str) -> None:
    """Every table gives the role all rows of the tenant, and no others."""
    async with transaction(engine) as connection:
        columns = await columns_of_tenants(connection)
        there = {table: await _count(connection, table, column, tenant) for table, column in columns.items()}
    assert sum(map(bool, there.values())) > 10
    async with of_tenant(engine, tenant) as connection:
        assert (await connection.execute(text("SELECT current_user"))).scalar_one() == ROLE
        for table, column in columns.items():
            seen = (await connection.execute(text(f"SELECT {column} FROM {table}"))).scalars().all()  # noqa: S608
            assert seen == [tenant] * there[table], table


async def _count(connection: AsyncConnection, table: str, column: str, tenant: str) -> int:
    counting = text(f"SELECT count(*) FROM {table} WHERE {column} = :tenant")  # noqa: S608 - names of ours
    return int((await connection.execute(counting, {"tenant": tenant})).scalar_one())


async def _told(engine: AsyncEngine, tenant: str) -> dict[str, Any]:
    """Every answer there is for a tenant, over HTTP and NATS, but for what the clock and the server make of it."""
    asked = [(row.path, row.query, row.answer) for row in (*READS, *SHARED)]
    asked += [(route.subject, route.query, route.answer) for route in ROUTES]
    told = {}
    for what, query, answer in asked:
        words = {name: WORDS[name] for name in query.__struct_fields__ if name in WORDS and name != "tenant"}
        async with of_tenant(engine, tenant) as connection:
            try:
                found = await answer(connection, msgspec.convert({**words, "tenant": tenant}, query))
            except FlockloreError as error:
                found = f"{type(error).__name__}: {error}"
        told[what] = _timeless(msgspec.to_builtins(found))
    return told


def _timeless(value: Any) -> Any:
    match value:
        case dict():
            return {name: _timeless(one) for name, one in value.items() if not _is_of_the_server(name, one)}
        case list() | tuple():
            return [_timeless(one) for one in value]
        case float():
            return round(value, 6)
        case str():
            return _TIME.sub("a time", value)
    return value


def _is_of_the_server(name: str, value: Any) -> bool:
    """Whether it counts something over all tenants, or is measured by the clock."""
    return name in _OF_THE_SERVER and not (isinstance(value, str) and len(value) == 32)
