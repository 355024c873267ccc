"""Real servers for benchmarks, set up as the product sets them up: every commit and every message reaches the disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.databases import central_engine, instance_engine
from tests.support.servers import scratch_directory


@contextmanager
def nats_server() -> Iterator[EmbeddedNats]:
    """Run a NATS server."""
    with scratch_directory() as directory:
        server = EmbeddedNats(directory / "nats", port=0)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres() -> Iterator[EmbeddedPostgres]:
    """Run a PostgreSQL server with the databases `hub` and `spoke`."""
    with scratch_directory() as directory:
        server = EmbeddedPostgres(directory / "postgres")
        server.start()
        try:
            server.ensure_database("hub", "spoke")
            yield server
        finally:
            server.stop()


@asynccontextmanager
async def hub_database() -> AsyncIterator[AsyncEngine]:
    """Give an engine on a database of centralcloud."""
    with postgres() as server:
        async with central_engine(server.dsn("hub")) as engine:
            yield engine


@asynccontextmanager
async def spoke_database() -> AsyncIterator[AsyncEngine]:
    """Give an engine on a database of an instance."""
    with postgres() as server:
        async with instance_engine(server.dsn("spoke")) as engine:
            yield engine
