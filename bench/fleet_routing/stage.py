"""The hub and the servers below: one PostgreSQL with a database for each instance, one NATS, all of them real.

What a power cut would lose is not kept safe: the simulation can be run again.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

import psycopg

from bench.servers import nats_server
from centralcloud.queries.service import Queries
from centralcloud.routing import publish
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.asking import hub_bus
from tests.support.databases import instance_engine
from tests.support.fleet import Hub, hub
from tests.support.servers import scratch_directory

_HUB: Final = "hub"
_TEMPLATE: Final = "template_of_instances"
_GONE_SECONDS: Final = 0.01
"""After so long the hub takes an instance for gone: it is, between its days."""


@dataclass
class Stage:
    """A running hub, and databases for as many instances as are wanted."""

    nats_url: str
    _hub: Hub
    _server: EmbeddedPostgres

    @contextmanager
    def databases(self, number: int) -> Iterator[list[str]]:
        """Give the URLs of so many databases of instances, empty but for their tables."""
        run = secrets.token_hex(4)
        names = [f"instance_{run}_{place}" for place in range(number)]
        with psycopg.connect(self._server.dsn("postgres"), autocommit=True) as admin:
            for name in names:
                admin.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy".encode())
            try:
                yield [self._server.dsn(name) for name in names]
            finally:
                for name in names:
                    admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    async def publish_priors(self, tenant: str, today: date) -> None:
        """Do on a day of the simulation what the hub's schedule does every hour."""
        await publish(self._hub.engine, self._hub.bus, tenant, today)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Run the servers and those parts of centralcloud that results and priors go through."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(scratch_directory())
        server = EmbeddedPostgres(directory / "postgres")
        server.start()
        stack.callback(server.stop)
        _forgo_durability(server)
        server.ensure_database(_HUB, _TEMPLATE)
        async with instance_engine(server.dsn(_TEMPLATE)):
            pass  # its tables are all that is wanted of it
        url = stack.enter_context(nats_server()).url
        taking_in = await stack.enter_async_context(
            hub(url, server.dsn(_HUB), suspect_seconds=_GONE_SECONDS, silence_seconds=_GONE_SECONDS)
        )
        await stack.enter_async_context(hub_bus(url, partial(Queries, taking_in.engine)))
        yield Stage(url, taking_in, server)


def _forgo_durability(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            admin.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        admin.execute("SELECT pg_reload_conf()")
