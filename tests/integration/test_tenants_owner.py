"""Tenants are kept apart, and may share, where the hub's database user is no superuser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.store.tenancy import ROLE, of_tenant
from shared.errors import ConfigurationError
from tests.support.databases import central_engine
from tests.support.own_server import OwnServer, own_server
from tests.support.tenants import HERE, YONDER, accept, end, offer, settle


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as running:
        yield running


@pytest.fixture
def own(server: OwnServer) -> Iterator[OwnServer]:
    """Give the server with a database of its owner's, and without the role."""
    with server.admin() as admin:
        admin.execute("CREATE DATABASE hub OWNER olga")
    yield server
    server.drop_all()
    with server.admin() as admin:
        admin.execute(f"DROP ROLE IF EXISTS {ROLE}")
        admin.execute("ALTER ROLE olga NOCREATEROLE")


async def test_who_may_not_make_roles_is_told_what_an_administrator_has_to_do(own: OwnServer) -> None:
    with pytest.raises(ConfigurationError) as told:
        async with central_engine(own.dsn("hub")):
            pass
    commands = str(told.value).partition("run ")[2].replace("the user", "olga")
    with own.admin() as admin:
        for command in commands.split("; "):
            admin.execute(command.encode())
    async with central_engine(own.dsn("hub")) as engine:
        await _keeps_apart_and_shares(engine)


async def test_who_may_make_roles_makes_it_and_may_become_it(own: OwnServer) -> None:
    with own.admin() as admin:
        admin.execute("ALTER ROLE olga CREATEROLE")
    for _ in range(2):
        async with central_engine(own.dsn("hub")) as engine, of_tenant(engine, HERE) as connection:
            assert (await connection.execute(text("SELECT current_user"))).scalar_one() == ROLE
    async with central_engine(own.dsn("hub")) as engine:
        await _keeps_apart_and_shares(engine)


async def _keeps_apart_and_shares(engine: AsyncEngine) -> None:
    await settle(engine, HERE, YONDER)
    assert await offer(engine)
    assert await accept(engine)
    async with of_tenant(engine, HERE) as connection:
        own = (await connection.execute(text("SELECT DISTINCT tenant FROM insights"))).scalars().all()
        shared = (await connection.execute(text("SELECT DISTINCT owner FROM shared_insights"))).scalars().all()
    assert (own, shared) == ([HERE], [YONDER])
    assert await end(engine, HERE)
    async with of_tenant(engine, HERE) as connection:
        assert (await connection.execute(text("SELECT count(*) FROM shared_insights"))).scalar_one() == 0
