"""What the database gives to the role that answers a tenant, whatever statement it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.store.tenancy import ROLE, of_tenant
from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.tenants import HERE, YONDER, betrays, columns_of_tenants, everything_of, two_tenants


@pytest.fixture
async def engine(postgres: EmbeddedPostgres, make_database: Callable[[], str]) -> AsyncIterator[AsyncEngine]:
    async with two_tenants(postgres, make_database()) as engine:
        yield engine


async def test_every_table_and_view_shows_a_tenant_its_own_rows_and_no_others(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        readable = await _readable(connection)
    filled = set(await everything_of(engine, YONDER))
    assert {"observations", "insights", "insight_history", "instance_registry", "result_states", "activity",
            "dead_letters", "samples", "watermarks", "received_envelopes", "insight_feedback"} <= filled  # fmt: skip
    assert filled <= set(readable)
    for name in readable:
        async with of_tenant(engine, HERE) as connection:
            rows = (await connection.execute(text(f"SELECT t::text FROM {name} t"))).scalars().all()  # noqa: S608
        assert not [row for row in rows if betrays(row, YONDER)], name
        assert bool(rows) == (name in {*filled, "instances"}), name


async def test_without_a_tenant_the_role_sees_nothing(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        readable = await _readable(connection)
        await connection.execute(text(f"SET LOCAL ROLE {ROLE}"))
        seen = {
            name: (await connection.execute(text(f"SELECT count(*) FROM {name}"))).scalar_one()  # noqa: S608
            for name in readable
        }
    assert {name for name, count in seen.items() if count} == set()


async def test_no_forged_name_is_the_name_of_another(engine: AsyncEngine) -> None:
    for forged in ("", "%", "yonder' OR 'x'='x", "YONDER", "here,yonder", "*", "yonder\n", " yonder"):
        async with of_tenant(engine, forged) as connection:
            for table in ("observations", "insights", "instance_registry"):
                count = text(f"SELECT count(*) FROM {table}")  # noqa: S608 - names of ours
                assert (await connection.execute(count)).scalar_one() == 0, forged


async def test_rows_are_neither_made_for_another_nor_given_nor_taken(engine: AsyncEngine) -> None:
    before = await everything_of(engine, YONDER)
    async with transaction(engine) as connection:
        columns = await columns_of_tenants(connection)
    for table in before:
        column = columns[table]
        taking = f"UPDATE {table} SET {column} = 'here' WHERE {column} = 'yonder'"  # noqa: S608 - names of ours
        deleting = f"DELETE FROM {table} WHERE {column} = 'yonder'"  # noqa: S608 - names of ours
        assert [await as_here(engine, statement) for statement in (taking, deleting)] == [0, 0], table
        with pytest.raises(ProgrammingError, match="row-level security"):
            await as_here(engine, f"UPDATE {table} SET {column} = 'yonder'")  # noqa: S608 - names of ours
    assert await everything_of(engine, YONDER) == before


async def test_the_role_gets_no_further(engine: AsyncEngine) -> None:
    for statements in (
        ["SELECT * FROM hub_key"],
        ["SELECT * FROM workers"],
        ["ALTER TABLE insights DISABLE ROW LEVEL SECURITY"],
        ["DROP POLICY one_tenant ON insights"],
        ["CREATE POLICY mine ON insights USING (true)"],
        ["CREATE OR REPLACE VIEW shared_insights AS SELECT * FROM insights"],
        ["TRUNCATE insights"],
        ["CREATE TABLE loot AS SELECT 1 AS one"],
        ["SET row_security = off", "SELECT * FROM insights"],
    ):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner|row-level security"):
            await as_here(engine, *statements)


async def as_here(engine: AsyncEngine, *statements: str) -> int:
    """Run statements as the role that answers to `here`; returns how many rows the last one touched."""
    async with of_tenant(engine, HERE) as connection:
        done = [await connection.execute(text(statement)) for statement in statements]
    return done[-1].rowcount


async def _readable(connection: AsyncConnection) -> list[str]:
    """Every table and view the role may select from."""
    asking = text("""
        SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v', 'm')
           AND has_table_privilege(:role, oid, 'SELECT') ORDER BY 1
    """)
    return list((await connection.execute(asking, {"role": ROLE})).scalars())
