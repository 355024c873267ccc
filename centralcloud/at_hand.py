"""What commands of the hub share: the tenant they are about, and a while with the central database."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from centralcloud.config import CentralcloudSettings

T = TypeVar("T")

tenant_option = click.option("--tenant", help="Whose fleet; the configured tenant unless given.")


def with_database(work: Callable[[AsyncEngine, str], Awaitable[T]], tenant: str | None = None) -> T:
    """Do `work` with an engine of the central database and the tenant."""
    from centralcloud.config import load
    from centralcloud.desk import central_database

    async def connected(settings: CentralcloudSettings) -> T:
        async with central_database(settings) as engine:
            return await work(engine, settings.tenant)

    return asyncio.run(connected(load({"tenant": tenant}).settings))
