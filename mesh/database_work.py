"""What `flocklore db` does."""

from __future__ import annotations

import re
from typing import Final, cast

from msgspec import Struct, structs

from mesh.composition import load_settings
from mesh.databases import choose, find_databases, server_url, start_for_this_command
from shared import migrations
from shared.config import Settings
from shared.errors import ConfigurationError, UsageError
from shared.inspection import (
    Database,
    Kind,
    connected,
    migrations_of,
    needed_revision,
    revision,
    row_counts,
    server_facts,
)

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class DatabaseStatus(Struct, frozen=True, kw_only=True):
    """One database; `revision` is None when it was never migrated."""

    name: str
    kind: Kind | None
    revision: str | None
    needed: str | None
    size_bytes: int
    rows: dict[str, int]


class Upgraded(Struct, frozen=True, kw_only=True):
    """The schema of one database before and after."""

    name: str
    before: str | None
    after: str


def status(database_url: str | None) -> list[DatabaseStatus]:
    """Describe every database of ours on the server."""
    return [_status(database) for database in find_databases(_settings(database_url))]


def upgrade(database_url: str | None, name: str | None, kind: str | None) -> list[Upgraded]:
    """Migrate one database, or all; ConfigurationError when nothing tells what an empty one is for."""
    found = find_databases(_settings(database_url))
    if name is not None:
        found = [choose(found, name)]
    return [_upgrade(database, cast("Kind | None", kind)) for database in found]


def chosen(database_url: str | None, name: str | None) -> Database:
    """The database called so, or the only one there is."""
    return choose(find_databases(_settings(database_url)), name)


def server(database_url: str | None) -> str:
    """The URL of the server."""
    return server_url(_settings(database_url))


def valid_name(name: str) -> str:
    """Check the name of a database to be made; raises `UsageError`."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a database: use a-z, 0-9 and _, at most 63 characters")
    return name


def _settings(database_url: str | None) -> Settings:
    settings = load_settings(None)
    if database_url:
        return structs.replace(settings, database_url=database_url)
    start_for_this_command(settings)
    return settings


def _status(database: Database) -> DatabaseStatus:
    with connected(database.url) as connection:
        return DatabaseStatus(
            name=database.name,
            kind=database.kind,
            revision=revision(connection),
            needed=needed_revision(database.kind) if database.kind else None,
            size_bytes=server_facts(connection).size_bytes,
            rows=row_counts(connection),
        )


def _upgrade(database: Database, kind: Kind | None) -> Upgraded:
    known = database.kind or kind
    if known is None:
        raise ConfigurationError(f"nothing tells what the empty database {database.name} is for; say it with --kind")
    with connected(database.url) as connection:
        before = revision(connection)
    return Upgraded(name=database.name, before=before, after=migrations.upgrade(database.url, migrations_of(known)))
