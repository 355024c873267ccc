"""Two tenants on one hub, and words that are of one of them alone and so tell where they turn up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud import sharing
from centralcloud.aggregate import aggregate
from centralcloud.ingest.arrivals import DeadLetter, Lineage
from centralcloud.ingest.commit import commit
from centralcloud.store import activity, samples
from centralcloud.store import sharing as stored
from centralcloud.store.tenancy import of_tenant
from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.databases import central_engine, copy_database
from tests.support.known import learned, opinion, register, reported, results, take_in
from tests.support.observed import digest, observation, observe
from tests.support.wire import EPOCH

HERE: Final = "here"
YONDER: Final = "yonder"

_TEMPLATE: Final = "tenants_template"
_TABLES = text("""
    SELECT table_name, column_name
      FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
     WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND column_name IN ('tenant', 'tenant_id')
""")


def instance(tenant: str, name: str = "ann") -> str:
    """The name of an instance of a tenant."""
    return f"{name}-{tenant}"


def insight(tenant: str) -> str:
    """The id of the insight of a tenant that has a name."""
    return digest(f"habit of {tenant}")


def words(tenant: str) -> set[str]:
    """What only this tenant has: its name, which is in every name it has, and what is made of names."""
    repositories = {digest(f"repository of {instance(tenant, name)}") for name in ("ann", "bob")}
    return {tenant, insight(tenant), digest(f"loop of {tenant}"), *repositories}


async def settle(engine: AsyncEngine, *tenants: str) -> None:
    """Have each tenant on the hub: two instances, what they say, what was concluded of it, and what went wrong."""
    for tenant in tenants:
        names = [instance(tenant, name) for name in ("ann", "bob")]
        await register(engine, *names, tenant=tenant)
        for name in names:
            said = (learned(f"loop of {tenant}", f"repository of {name}"), opinion(f"habit of {tenant}"))
            spent = results(f"model-{tenant}", [100, 200], 1, job_type=f"job-{tenant}")
            await take_in(engine, name, 1, *said, spent, reported({"python": 10}), tenant=tenant)
            habit = observation(
                f"habit of {tenant}", name, f"repository of {name}", name=f"habit-{tenant}", template=f"{tenant} ( $1 )"
            )
            await observe(engine, habit, tenant=tenant)
        await aggregate(engine, tenant)
        letter = DeadLetter(f"a.{tenant}", tenant.encode(), f"unreadable {tenant}", Lineage(tenant, names[0], EPOCH), 9)
        async with transaction(engine) as connection:
            await commit(connection, [], [letter])
            await samples.take(connection, tenant)
    async with transaction(engine) as connection:
        await activity.place_all(connection)


@asynccontextmanager
async def two_tenants(server: EmbeddedPostgres, url: str) -> AsyncIterator[AsyncEngine]:
    """Make of an empty database of the session's server one with both tenants, and give an engine on it."""
    if not await asyncio.to_thread(_exists, server):
        await asyncio.to_thread(server.ensure_database, _TEMPLATE)
        async with central_engine(server.dsn(_TEMPLATE)) as engine:
            await settle(engine, HERE, YONDER)
    await asyncio.to_thread(copy_database, server.dsn(_TEMPLATE), url)
    async with central_engine(url) as engine:
        yield engine


def _exists(server: EmbeddedPostgres) -> bool:
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
        return bool(admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_TEMPLATE]).fetchone())


async def columns_of_tenants(connection: AsyncConnection) -> dict[str, str]:
    """Every table that has a tenant in each row, and the column it is in."""
    rows = await connection.execute(_TABLES)
    return {row.table_name: row.column_name for row in rows}


async def offer(engine: AsyncEngine, owner: str = YONDER, reader: str = HERE) -> bool:
    """Have a tenant offer its insights to another."""
    async with of_tenant(engine, owner) as connection:
        return await sharing.offer(connection, owner, reader, f"a person of {owner}")


async def accept(engine: AsyncEngine, owner: str = YONDER, reader: str = HERE) -> bool:
    """Have a tenant accept them."""
    async with of_tenant(engine, reader) as connection:
        return await sharing.accept(connection, owner, reader, f"a person of {reader}")


async def end(engine: AsyncEngine, by: str, owner: str = YONDER, reader: str = HERE) -> bool:
    """Have one of the two end it."""
    async with of_tenant(engine, by) as connection:
        return await stored.end(connection, owner, reader)


async def everything_of(engine: AsyncEngine, tenant: str) -> dict[str, list[str]]:
    """Every row of a tenant, by table, as text; what is empty is not there."""
    found = {}
    async with transaction(engine) as connection:
        for table, column in (await columns_of_tenants(connection)).items():
            asking = text(f"SELECT t::text FROM {table} t WHERE {column} = :tenant ORDER BY 1")  # noqa: S608 - names of ours
            if rows := (await connection.execute(asking, {"tenant": tenant})).scalars().all():
                found[table] = list(rows)
    return found


def betrays(said: bytes | str, tenant: str, *told: str) -> set[str]:
    """Words of a tenant in what was said, but those it was told by who asked."""
    shown = said if isinstance(said, str) else said.decode(errors="replace")
    return {word for word in words(tenant) - set(told) if word in _without(shown, told)}


def _without(shown: str, told: tuple[str, ...]) -> str:
    for word in sorted(told, key=len, reverse=True):
        shown = shown.replace(word, "")
    return shown
