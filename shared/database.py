"""The connection to PostgreSQL: one engine a daemon, times by the database's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.connections import USUAL, Connections, PoolLimits
from shared.embedded.databases import Wanted, url_of
from shared.errors import ConfigurationError, OverloadedError, UnreachableError

_RETRY_SECONDS: Final = 0.1
_READ_ONLY: Final = "25006"

# A server whose machine lost its power says nothing: without these a statement would wait for it a quarter of an hour.
_WATCHED: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def sqlalchemy_url(url: str, server: Wanted = "read-write") -> URL:
    """Turn what libpq takes into what SQLAlchemy does; raises `ConfigurationError` on anything else."""
    try:
        told: dict[str, Any] = dict(conninfo_to_dict(url_of(url, server=server)))
    except psycopg.ProgrammingError:
        # Not shown: libpq repeats the address with its password.
        raise ConfigurationError(
            "DATABASE_URL says something that PostgreSQL does not know; write postgresql://user@host/database"
        ) from None
    if not all(port.isdigit() or not port for port in told.get("port", "").split(",")):
        raise ConfigurationError("DATABASE_URL: a port is a number")
    names = {"user": "username", "password": "password", "dbname": "database"}
    if "," not in told.get("host", "/") and not told.get("host", "/").startswith("/"):
        names |= {"host": "host", "port": "port"}
        told["port"] = int(told["port"]) if told.get("port") else None
    parts = {ours: told.pop(theirs, None) for theirs, ours in names.items()}
    return URL.create("postgresql+psycopg", **parts, query=told)


def libpq_parameters(url: URL) -> dict[str, Any]:
    """What libpq is to be told for a connection beside those of an engine; what the URL does not say is watched for."""
    return _WATCHED | url.translate_connect_args(username="user", database="dbname") | dict(url.query)


def connect_engine(
    url: str, *, application: str, pool: PoolLimits = USUAL, server: Wanted = "read-write"
) -> AsyncEngine:
    """Make an engine; no connection is opened yet."""
    address, limits = sqlalchemy_url(url, server), pool.told_by(url)
    return create_async_engine(
        address,
        poolclass=Connections,
        pool_size=limits.size,
        max_overflow=limits.overflow,
        pool_timeout=limits.wait_seconds,
        pool_pre_ping=True,
        json_deserializer=msgspec.json.decode,  # three times as fast as the standard library's (measured)
        connect_args={
            "application_name": application,
            **{name: value for name, value in _WATCHED.items() if name not in address.query},
        },
    )


async def wait_until_reachable(engine: AsyncEngine, timeout_seconds: float = 60.0) -> None:
    """Return once the database answers; raises `UnreachableError` at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > deadline:
                raise unreachable(engine, error) from error
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


def unreachable(engine: AsyncEngine, error: DBAPIError) -> UnreachableError:
    """Say which server does not answer, without its password."""
    reason = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
    return UnreachableError(f"PostgreSQL at {_where(engine.url)} does not answer ({reason}); check DATABASE_URL")


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when tried again: a lost connection, a deadlock, a conflict."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or state[:2] in ("08", "40", "53", "57") or not state


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction; a lost database is an `UnreachableError`, so that callers retry it, as is one that only reads.

    `OverloadedError` when no connection was free in time.
    """
    try:
        async with engine.begin() as connection:
            try:
                yield connection
            except InternalError as error:
                if not _has_become_read_only(engine, error):
                    raise
                await connection.invalidate()  # the next one is made anew, to a server that takes changes
                raise unreachable(engine, error) from error
    except PoolTimeoutError as error:
        raise OverloadedError(
            "no connection to PostgreSQL was free in time; ask again, or raise database_pool_size"
        ) from error
    except (OperationalError, InterfaceError) as error:
        if is_transient(error):
            raise unreachable(engine, error) from error
        raise


def _has_become_read_only(engine: AsyncEngine, error: InternalError) -> bool:
    """Whether the server takes no changes any more, rather than that we said we would make none."""
    is_refused = getattr(error.orig, "sqlstate", None) == _READ_ONLY
    return is_refused and not engine.get_execution_options().get("postgresql_readonly")


def _where(url: URL) -> str:
    """The servers and the database as a person writes them."""
    told = libpq_parameters(url)
    hosts, ports = (str(told.get(name) or "").split(",") for name in ("host", "port"))
    ports = ports if len(ports) == len(hosts) else ports[:1] * len(hosts)
    places = [f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=True)]
    return f"{','.join(places)}/{told.get('dbname') or ''}"
