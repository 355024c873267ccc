"""Engines on databases brought to the newest schema."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from sqlalchemy.ext.asyncio import AsyncEngine

import centralcloud.store
import instance.store
from centralcloud.store.tenancy import prepare
from shared.database import connect_engine
from shared.embedded.databases import url_of
from shared.migrations import upgrade_in_thread


@asynccontextmanager
async def central_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Give an engine on a central database with the newest schema."""
    async with _migrated(database_url, Path(centralcloud.store.__path__[0])) as engine:
        await prepare(engine)
        yield engine


@asynccontextmanager
async def instance_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Give an engine on an instance's database with the newest schema."""
    async with _migrated(database_url, Path(instance.store.__path__[0])) as engine:
        yield engine


@asynccontextmanager
async def _migrated(database_url: str, store: Path) -> AsyncIterator[AsyncEngine]:
    await upgrade_in_thread(database_url, store / "migrations")
    engine = connect_engine(database_url, application="test")
    try:
        yield engine
    finally:
        await engine.dispose()


def copy_database(source_url: str, target_url: str) -> None:
    """Replace a database by a copy of another of the same server; everybody is thrown out of both."""
    source, target = (urlsplit(url).path.lstrip("/") for url in (source_url, target_url))
    with psycopg.connect(url_of(source_url, "postgres"), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [source],
        )
        admin.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {target} TEMPLATE {source} STRATEGY file_copy")
