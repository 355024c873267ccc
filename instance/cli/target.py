"""Which instance a command is about: the one of DATABASE_URL, or one on the embedded PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from instance.config import InstanceSettings, load
from instance.store import identity, instances
from instance.store.identity import Identity
from schemas.subjects import Sender
from shared.client import ask
from shared.database import connect_engine, transaction
from shared.embedded.attach import database_name, embedded_postgres_directory
from shared.embedded.databases import url_of
from shared.embedded.nodes import running_urls
from shared.embedded.paths import state_path
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import ConfigurationError, NotFoundError, NotRunningError, UsageError
from shared.inspection import INSTANCE_PREFIX, needed_revision
from shared.migrations import current_revision
from shared.passport import passport_of

T = TypeVar("T")

_ASKER: Final = "command"
_APPLICATION: Final = "flocklore command"


@dataclass(frozen=True)
class Target:
    """An instance a command may read and write: its database, its settings, who it is."""

    engine: AsyncEngine
    settings: InstanceSettings
    identity: Identity


@asynccontextmanager
async def open_target(settings: InstanceSettings) -> AsyncIterator[Target]:
    """Yield the instance the settings mean.

    UsageError when there are several, NotFoundError when there is none, NotRunningError when its embedded database
    does not run, ConfigurationError when its schema is of another release.
    """
    engine = await _engine(settings)
    try:
        async with transaction(engine) as connection:
            await _require_schema(connection)
            found = await identity.get(connection)
        if found is None:
            raise NotFoundError("this instance was never started; start it with `flocklore up`")
        yield Target(engine, settings, found)
    finally:
        await engine.dispose()


def resolve_settings(name: str | None) -> InstanceSettings:
    """Resolve the settings of this shell, `name` before INSTANCE_ID."""
    return load({"instance_id": name}).settings


async def ask_hub(settings: InstanceSettings, subject: str, query: Any, answer: type[T]) -> T:
    """Ask centralcloud; raises `NotRunningError` when no NATS is known here, `UnreachableError` when nobody answers."""
    sender = Sender(settings.tenant, settings.instance_id or _ASKER)
    return await ask(hub_servers(settings), subject, query, answer, sender=sender, passport=passport_of(settings))


def hub_servers(settings: InstanceSettings) -> list[str]:
    """NATS as it was configured, else the embedded servers of the state directory that run."""
    servers = settings.nats_servers or running_urls(state_path(settings.state_dir))
    if not servers:
        raise NotRunningError("no NATS is known here; start one with `flocklore up`, or set NATS_URL")
    return servers


def hexadecimal_prefix(text: str) -> str:
    """Check the beginning of an id or a fingerprint; raises `UsageError`."""
    prefix = text.lower()
    if not prefix or set(prefix) - set("0123456789abcdef"):
        raise UsageError(f"{text!r} is not the beginning of an id: use the digits that `list` shows")
    return prefix


async def _engine(settings: InstanceSettings) -> AsyncEngine:
    """Connect to the database that is the instance, or the one among its neighbours on the same server."""
    server = settings.database_url
    if server is None:
        server = await asyncio.to_thread(_embedded_url, settings)
    engine = connect_engine(server, application=_APPLICATION)
    try:
        async with transaction(engine) as connection:
            itself = await instances.name_here(connection)
            is_meant = itself is not None and settings.instance_id in (None, itself)
            databases = [] if is_meant else await instances.databases(connection, INSTANCE_PREFIX)
        name = None if is_meant else _choose(databases, settings.instance_id)
    except BaseException:
        await engine.dispose()
        raise
    if name is None:
        return engine
    await engine.dispose()
    return connect_engine(url_of(server, name), application=_APPLICATION)


def _embedded_url(settings: InstanceSettings) -> str:
    server = EmbeddedPostgres(embedded_postgres_directory(state_path(settings.state_dir)))
    if not server.running():
        raise NotRunningError("the embedded PostgreSQL does not run; start it with `flocklore up`, or set DATABASE_URL")
    return server.dsn("postgres")


def _choose(databases: list[str], wanted: str | None) -> str:
    names = ", ".join(name.removeprefix(INSTANCE_PREFIX) for name in databases)
    if wanted is not None:
        name = INSTANCE_PREFIX + database_name(wanted)
        if name not in databases:
            raise NotFoundError(f"there is no instance {wanted} here; there are: {names or 'none'}")
        return name
    if not databases:
        raise NotFoundError("no instance has a database here; start one with `flocklore up`")
    if len(databases) > 1:
        raise UsageError(f"there are several instances; choose one with --instance: {names}")
    return databases[0]


async def _require_schema(connection: AsyncConnection) -> None:
    needed = needed_revision("instance")
    current = await connection.run_sync(current_revision)
    if current != needed:
        raise ConfigurationError(
            f"the instance's database is at schema {current or 'none'}, this release needs {needed}; "
            "run `flocklore db upgrade`, or the release that made it"
        )
