"""Checks of the databases: they answer, are of this release, and nothing piles up in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from psycopg import Connection

from mesh.databases import find_databases
from mesh.health.finding import Finding, error, ok, unknown, warning
from mesh.health.nats import skew
from shared.config import Settings
from shared.inspection import (
    Database,
    ServerFacts,
    connected,
    dead_letters,
    forked_instances,
    needed_revision,
    outbox_backlog,
    revision,
    server_facts,
)

BACKLOG_SECONDS_MAX: Final = 300.0
MAJOR_MIN: Final = 15


def databases(settings: Settings) -> Iterator[Finding]:
    """The server, then each database of ours on it."""
    found = find_databases(settings)
    if not found:
        yield error("database", "there is no database of Flocklore", "start a daemon: `flocklore up` makes them")
        return
    with connected(found[0].url) as connection:
        yield from _server(server_facts(connection))
    for database in found:
        yield from _database(database)


def _server(facts: ServerFacts) -> Iterator[Finding]:
    if int(facts.version.partition(".")[0]) < MAJOR_MIN:
        fix = f"use PostgreSQL {MAJOR_MIN} or later"
        yield error("database", f"PostgreSQL {facts.version}", fix)
    else:
        yield ok("database", f"PostgreSQL {facts.version} answers")
    there = "is available" if facts.vector_available else "is not available; nothing needs it yet"
    yield (ok if facts.vector_available else unknown)("pgvector", f"pgvector {there}")
    yield skew("clock_database", "the database", facts.clock_ahead_seconds)


def _database(database: Database) -> Iterator[Finding]:
    if database.kind is None:
        yield warning("schema", f"{database.name} is empty", "start its daemon, or run `flocklore db upgrade --kind`")
        return
    with connected(database.url) as connection:
        current, needed = revision(connection), needed_revision(database.kind)
        if current != needed:
            detail = f"{database.name} is at schema {current or 'none'}, this release needs {needed}"
            yield error("schema", detail, "run `flocklore db upgrade`, or start its daemon")
            return
        yield ok("schema", f"{database.name} is at schema {current}")
        yield from _contents(database, connection)


def _contents(database: Database, connection: Connection[Any]) -> Iterator[Finding]:
    if database.kind == "centralcloud":
        yield _names(connection)
        yield _dead_letters(connection)
    else:
        yield _backlog(database.name, connection)


def _names(connection: Connection[Any]) -> Finding:
    if clones := forked_instances(connection):
        fix = "give each machine an INSTANCE_ID and a database of its own"
        return error("instance_id", f"two machines spoke as {', '.join(clones)} in the last day", fix)
    return ok("instance_id", "no two machines spoke as one instance in the last day")


def _dead_letters(connection: Connection[Any]) -> Finding:
    if count := dead_letters(connection):
        fix = "see `flocklore centralcloud dead-letters list`; upgrade Flocklore, then replay them"
        return warning("dead_letters", f"{count} messages could not be read", fix)
    return ok("dead_letters", "every message could be read")


def _backlog(name: str, connection: Connection[Any]) -> Finding:
    events, age_seconds = outbox_backlog(connection)
    detail = f"{name}: {events} events wait for centralcloud"
    if age_seconds > BACKLOG_SECONDS_MAX:
        fix = "nothing is lost; check that NATS and centralcloud run"
        return warning("backlog", f"{detail}, the oldest for {age_seconds:.0f} s", fix)
    return ok("backlog", detail)
