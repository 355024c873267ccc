"""The databases a command is about: on the server of DATABASE_URL, or on the embedded one."""

from __future__ import annotations

from pathlib import Path

import click

from shared.config import Settings
from shared.embedded.attach import embedded_postgres_directory
from shared.embedded.paths import state_directory, state_path
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import NotFoundError, NotRunningError, UsageError
from shared.inspection import Database, find


def server_url(settings: Settings) -> str:
    """The URL of the server; NotRunningError when none was named and the embedded one does not run."""
    if settings.database_url:
        return settings.database_url
    server = EmbeddedPostgres(embedded_directory(settings))
    if not server.running():
        raise NotRunningError("the embedded PostgreSQL does not run; start it with `flocklore up`, or set DATABASE_URL")
    return server.dsn("postgres")


def start_for_this_command(settings: Settings) -> None:
    """Have the embedded PostgreSQL run until the command ends, if it is the one meant, was made and does not run."""
    server = EmbeddedPostgres(embedded_directory(settings))
    if settings.database_url is None and _was_made(server):
        _start_until_the_end(server)


def embedded_url(settings: Settings, *, make: bool) -> str | None:
    """The URL of the embedded PostgreSQL, which runs until the command ends; None when it is not there to `make`."""
    server = EmbeddedPostgres(embedded_directory(settings))
    if not make and not _was_made(server):
        return None
    state_directory(settings.state_dir)
    _start_until_the_end(server)
    return server.dsn("postgres")


def embedded_directory(settings: Settings) -> Path:
    """Where the embedded PostgreSQL keeps its data, or would."""
    return embedded_postgres_directory(state_path(settings.state_dir))


def find_databases(settings: Settings) -> list[Database]:
    """Every database of ours there."""
    return find(server_url(settings))


def choose(databases: list[Database], name: str | None) -> Database:
    """The one called `name`, or the only one; NotFoundError or UsageError names those there are."""
    names = ", ".join(database.name for database in databases) or "none"
    if name is not None:
        for database in databases:
            if database.name == name:
                return database
        raise NotFoundError(f"there is no database {name}; there are: {names}")
    if len(databases) != 1:
        raise UsageError(f"say which database: {names}")
    return databases[0]


def _was_made(server: EmbeddedPostgres) -> bool:
    return (server.directory / "data").exists()


def _start_until_the_end(server: EmbeddedPostgres) -> None:
    if not server.running():
        server.start()
        click.get_current_context().call_on_close(server.stop)
