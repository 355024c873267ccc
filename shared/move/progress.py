"""How far a move has come, kept in the target itself: its tables are empty or complete, and a list says which is which.

While the move lasts, the version of the schema reads `NNNN (moving)`, which no release knows: no daemon starts on half
of a database. The true version is written in the transaction that drops the list.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import Connection, sql
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from shared.inspection import scalar
from shared.move.catalogue import Table
from shared.move.checksum import Content

_MOVING: Final = " (moving)"
_LIST: Final = """
    CREATE TABLE flocklore_move (
        table_name  text PRIMARY KEY,
        rows        bigint NOT NULL,
        checksum    numeric NOT NULL,
        copied_at   timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""
_VERSION: Final = "UPDATE alembic_version SET version_num = :version"


def begun(connection: Connection[Any]) -> bool:
    """Whether a move was begun here and not finished."""
    return bool(scalar(connection, "SELECT to_regclass('flocklore_move') IS NOT NULL"))


def moving(revision: str) -> str:
    """What the version of the schema reads while a move to it lasts."""
    return f"{revision}{_MOVING}"


def prepare(url: str, migrations: Path, revision: str) -> None:
    """Make the schema of `revision` in an empty database, and the list; all of it or nothing."""
    from alembic import command  # noqa: PLC0415 - costs a third of a second, and a move that goes on needs none of it
    from alembic.config import Config  # noqa: PLC0415 - same

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(text(_LIST))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            connection.execute(text(_VERSION), {"version": moving(revision)})
    finally:
        engine.dispose()


def copied(connection: Connection[Any]) -> dict[str, Content]:
    """The tables that are complete, and what they held at the source."""
    rows = connection.execute("SELECT table_name, rows, checksum::text FROM flocklore_move")
    return {name: Content(count, checksum) for name, count, checksum in rows}


def note(connection: Connection[Any], table: Table, content: Content) -> None:
    """Put a table on the list, in the transaction that fills it."""
    connection.execute(
        "INSERT INTO flocklore_move (table_name, rows, checksum) VALUES (%s, %s, %s::numeric)",
        [table.title, content.rows, content.checksum],
    )


def forget(connection: Connection[Any], titles: list[str]) -> None:
    """Take tables off the list: the next run copies them again."""
    connection.execute("DELETE FROM flocklore_move WHERE table_name = ANY(%s)", [titles])


def empty(connection: Connection[Any], tables: list[Table]) -> None:
    """Empty tables, together with every table that references them."""
    if tables:
        names = sql.SQL(", ").join(table.identifier for table in tables)
        connection.execute(sql.SQL("TRUNCATE {}").format(names))


def finish(connection: Connection[Any], revision: str) -> None:
    """Give the database its true version: from now on daemons start on it."""
    with connection.transaction():
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])
        connection.execute("DROP TABLE flocklore_move")
