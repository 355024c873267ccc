"""Engines on databases brought to the newest schema."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

import centralcloud.store
import instance.store
from shared.database import connect_engine
from shared.migrations import upgrade_in_thread


@asynccontextmanager
async def central_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Give an engine on a central database with the newest schema."""
    async with _migrated(database_url, Path(centralcloud.store.__path__[0])) as engine:
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
