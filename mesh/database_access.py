"""The queue a command is about: the one in the database of an instance, or in that of centralcloud."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

import functools
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from mesh.db_cli import database_option, url_option
from shared.commandline import json_option, run_command

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from shared.inspection import Database
    from shared.jobs.kinds import Kinds

T = TypeVar("T")

LISTED_MAX: Final = 10_000

KINDS: Final = {"instance": "instance.jobs.catalog:KINDS", "centralcloud": "centralcloud.jobs:KINDS"}
"""By name, as the root finds its commands: the mesh imports neither daemon."""


class Queue(NamedTuple):
    """Which database was asked for."""

    database: str | None
    database_url: str | None

    def do(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do `work` in one transaction.

        ConfigurationError when the database is not at the schema of this release, and what choosing one may raise.
        """
        return run_command(_in_transaction(self.found().url, work))

    def kinds(self) -> Kinds:
        """The kinds of jobs that the daemon of this database runs in this release."""
        return kinds_of(str(self.found().kind))

    def found(self) -> Database:
        """The database, at the schema of this release."""
        from mesh.database_work import chosen
        from shared.errors import ConfigurationError
        from shared.inspection import connected, needed_revision, revision

        database = chosen(self.database_url, self.database)
        with connected(database.url) as connection:
            current = revision(connection)
        needed = needed_revision(database.kind) if database.kind else None
        if needed is None or current != needed:
            raise ConfigurationError(
                f"the database {database.name} is at schema {current or 'none'}, this release needs "
                f"{needed or 'to know what it is for'}; run `flocklore db upgrade`, or the release that made it"
            )
        return database


def about_queue(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--database`, `--database-url` and `--json`; it is called with `queue` and `as_json`."""

    @database_option
    @url_option
    @json_option
    @functools.wraps(command)
    def with_queue(*arguments: Any, database: str | None, database_url: str | None, **options: Any) -> Any:
        return command(*arguments, queue=Queue(database, database_url), **options)

    return with_queue


def kinds_of(daemon: str) -> Kinds:
    """The kinds of jobs of a daemon, by its name."""
    module, _, attribute = KINDS[daemon].partition(":")
    kinds: Kinds = getattr(importlib.import_module(module), attribute)
    return kinds


async def _in_transaction(url: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    from shared.database import connect_engine, transaction

    engine = connect_engine(url, application="flocklore command")
    try:
        async with transaction(engine) as connection:
            return await work(connection)
    finally:
        await engine.dispose()
