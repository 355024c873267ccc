"""The database of a daemon: the one it was given, or an embedded one of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from shared.embedded.paths import state_directory
from shared.embedded.postgres import EmbeddedPostgres

log = structlog.get_logger(__name__)


def database_name(text: str) -> str:
    """A database name made of an instance's name."""
    return text.replace("-", "_")


@asynccontextmanager
async def database(url: str | None, state: str | None, name: str) -> AsyncIterator[str]:
    """Yield the URL of the database: `url`, or `name` on an embedded server, started if nobody has."""
    if url is not None:
        yield url
        return
    server = EmbeddedPostgres(embedded_postgres_directory(state_directory(state)))
    ours = not server.running()
    if ours:
        log.info("starting an embedded PostgreSQL")
        await asyncio.to_thread(server.start)
    try:
        await asyncio.to_thread(server.ensure_database, name)
        yield server.dsn(name)
    finally:
        if ours:
            await asyncio.to_thread(server.stop)


def embedded_postgres_directory(state: Path) -> Path:
    """Where an embedded PostgreSQL keeps its data."""
    return state / "postgres"
