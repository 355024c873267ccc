"""What a database of ours is and how it does, read with plain SQL for commands that know neither daemon."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import psycopg
from msgspec import Struct
from psycopg import Connection, sql

from shared.embedded.databases import url_of
from shared.errors import ConfigurationError, UnreachableError
from shared.migrations import known_revisions

Kind = Literal["instance", "centralcloud"]

INSTANCE_PREFIX: Final = "instance_"
CENTRAL: Final = "centralcloud"
_CONNECT_SECONDS: Final = 5

_OURS: Final = """
    SELECT datname FROM pg_database
     WHERE (datname = %s OR starts_with(datname, %s)) AND has_database_privilege(datname, 'CONNECT')
     ORDER BY datname
"""
_TABLES: Final = """
    SELECT to_regclass('uplink') IS NOT NULL, to_regclass('watermarks') IS NOT NULL,
           to_regclass('alembic_version') IS NOT NULL
"""
_SERVER: Final = """
    SELECT current_setting('server_version'), pg_database_size(current_database()),
           extract(epoch FROM clock_timestamp())::float,
           EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector')
"""
_BACKLOG: Final = """
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float
      FROM outbox WHERE confirmed_at IS NULL
"""
_FORKED: Final = "SELECT DISTINCT instance FROM forks WHERE received_at > now() - interval '1 day' ORDER BY instance"
_DEAD_LETTERS: Final = "SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL"
_TABLE_NAMES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"


class Database(Struct, frozen=True, kw_only=True):
    """A database on a server, and what it is for; `kind` is None when nothing tells."""

    name: str
    url: str
    kind: Kind | None


class ServerFacts(Struct, frozen=True, kw_only=True):
    """What the server says of itself and of one database; its clock less ours, in seconds."""

    version: str
    size_bytes: int
    clock_ahead_seconds: float
    vector_available: bool


@contextmanager
def connected(url: str) -> Iterator[Connection[Any]]:
    """Yield a connection, committed at the end.

    UnreachableError when the server does not answer or goes away, ConfigurationError for a wrong URL or a user who may
    not do what is asked.
    """
    try:
        connection = psycopg.connect(url_of(url), connect_timeout=_CONNECT_SECONDS, application_name="flocklore")
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise UnreachableError(f"PostgreSQL does not answer ({reason}); check DATABASE_URL") from error
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(f"DATABASE_URL is no address of PostgreSQL: {error}".strip()) from error
    try:
        with connection:
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        refused = error.diag.message_primary
        raise ConfigurationError(f"DATABASE_URL: its user may not do this ({refused}); name the owner") from error
    except psycopg.OperationalError as error:
        raise UnreachableError(
            f"PostgreSQL went away ({error.diag.message_primary}); check it and try again"
        ) from error


def find(url: str) -> list[Database]:
    """The database `url` names, if it is ours, and its neighbours on the server called as ours, if it may go there."""
    with connected(url) as connection:
        neighbours = [name for (name,) in connection.execute(_OURS, [CENTRAL, INSTANCE_PREFIX])]
        itself = connection.info.dbname
        kind = kind_of(connection)
    found = [Database(name=name, url=url_of(url, name), kind=_kind_by_name(name)) for name in neighbours]
    if kind is not None or (not found and itself != "postgres"):
        found = [Database(name=itself, url=url_of(url), kind=kind), *(one for one in found if one.name != itself)]
    return found


def kind_of(connection: Connection[Any]) -> Kind | None:
    """Tell from its tables what a database is for."""
    instance, central, _ = _one(connection, _TABLES)
    if central:
        return "centralcloud"
    return "instance" if instance else None


def revision(connection: Connection[Any]) -> str | None:
    """The schema a database is at; None when it was never migrated."""
    if not _one(connection, _TABLES)[2]:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def server_facts(connection: Connection[Any]) -> ServerFacts:
    """Ask the server about itself; its clock is compared in the middle of the round trip."""
    before = time.time()
    version, size_bytes, now, vector = _one(connection, _SERVER)
    return ServerFacts(
        version=version,
        size_bytes=size_bytes,
        clock_ahead_seconds=round(now - (before + time.time()) / 2, 3),
        vector_available=vector,
    )


def row_counts(connection: Connection[Any]) -> dict[str, int]:
    """Rows of every table, counted."""
    names = [name for (name,) in connection.execute(_TABLE_NAMES)]
    counting = sql.SQL("SELECT count(*) FROM {}")
    return {name: _one(connection, counting.format(sql.Identifier(name)))[0] for name in names}


def outbox_backlog(connection: Connection[Any]) -> tuple[int, float]:
    """Events of an instance that centralcloud has not confirmed, and the age of the oldest in seconds."""
    events, age_seconds = _one(connection, _BACKLOG)
    return events, age_seconds


def forked_instances(connection: Connection[Any]) -> list[str]:
    """Instances that contradicted themselves in the last day: two machines under one name."""
    return [name for (name,) in connection.execute(_FORKED)]


def dead_letters(connection: Connection[Any]) -> int:
    """Messages of any tenant that centralcloud could not read and nobody has replayed."""
    count: int = _one(connection, _DEAD_LETTERS)[0]
    return count


def scalar(connection: Connection[Any], statement: Any, *values: Any) -> Any:
    """The first column of the first row."""
    return _one(connection, statement, *values)[0]


def migrations_of(kind: Kind) -> Path:
    """Where the revisions of a kind of database are, without importing its daemon."""
    specification = importlib.util.find_spec(kind)
    if specification is None or not specification.submodule_search_locations:
        raise ConfigurationError(f"the package {kind} is missing; reinstall Flocklore")
    return Path(specification.submodule_search_locations[0]) / "store" / "migrations"


def needed_revision(kind: Kind) -> str:
    """The schema this release needs."""
    return known_revisions(migrations_of(kind))[-1]


def _kind_by_name(name: str) -> Kind:
    return "centralcloud" if name == CENTRAL else "instance"


def _one(connection: Connection[Any], statement: Any, *values: Any) -> Any:
    row = connection.execute(statement, values or None).fetchone()
    if row is None:
        raise LookupError("a statement that always returns a row returned none")
    return row
