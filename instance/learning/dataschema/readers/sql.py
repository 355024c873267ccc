"""What SQL does to a schema: CREATE, DROP and RENAME here, ALTER beside, for PostgreSQL, MySQL and SQLite."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from instance.learning.dataschema.changes import (
    MAX_FIELDS,
    Change,
    Created,
    Dropped,
    Field,
    Key,
    KeyAdded,
    KeyRemoved,
    LeftOut,
    Renamed,
    TypeNamed,
    bounded,
)
from instance.learning.dataschema.readers.sql_alter import read_alter
from instance.learning.dataschema.readers.sql_columns import Parts, read_columns, read_item, read_type
from instance.learning.dataschema.readers.sql_cursor import Cursor
from instance.learning.dataschema.readers.sql_tokens import Statement, statements

_PASSING = frozenset({"TEMP", "TEMPORARY"})
_KINDS_OF_TABLE = frozenset({"OR", "REPLACE", "GLOBAL", "LOCAL", "UNLOGGED", "FOREIGN", "COLUMN", "VIRTUAL"})
_KINDS_OF_INDEX = frozenset({"UNIQUE", "FULLTEXT", "SPATIAL", "CLUSTERED", "NONCLUSTERED", "OR", "REPLACE"})


def read_sql(text: str) -> list[Change]:
    """Return what the statements of an SQL text do, in order; what cannot be understood does nothing."""
    found: list[Change] = []
    for statement in statements(text):
        if isinstance(statement, LeftOut):
            found.append(statement)
        else:
            found.extend(_read(statement))
    return bounded(found)


def _read(statement: Statement) -> Iterator[Change]:
    cursor = Cursor(statement)
    if cursor.takes("ALTER TABLE"):
        yield from read_alter(cursor)
    elif cursor.takes("RENAME TABLE"):
        yield from _renamed(cursor)
    elif cursor.takes("DROP"):
        yield from _dropped(cursor)
    elif cursor.takes("CREATE"):
        yield from _created(cursor)


def _renamed(cursor: Cursor) -> Iterator[Change]:
    for item in cursor.items():
        table = item.name()
        if item.takes("TO") and table:
            yield Renamed(table, item.name())


def _dropped(cursor: Cursor) -> Iterator[Change]:
    table = cursor.takes("TABLE")
    if not table and not cursor.takes("INDEX"):
        return
    cursor.takes("CONCURRENTLY")
    cursor.takes("IF EXISTS")
    for item in cursor.items():
        name = item.name()
        if table and name:
            yield Dropped(name)
        elif name:
            yield KeyRemoved(item.name() if item.takes("ON") else "", name.rpartition(".")[2])


def _created(cursor: Cursor) -> Iterator[Change]:
    if cursor.takes("TYPE"):
        yield from _named_type(cursor, cursor.name())
    elif cursor.takes("DOMAIN"):
        yield from _domain(cursor, cursor.name())
    elif not (_PASSING & set(cursor.skip(_KINDS_OF_TABLE | _KINDS_OF_INDEX | _PASSING))):
        if cursor.takes("TABLE"):
            yield from _table(cursor)
        elif cursor.takes("INDEX"):
            yield from _index(cursor, unique="UNIQUE" in cursor.keys[: cursor.at])


def _named_type(cursor: Cursor, name: str) -> Iterator[Change]:
    if name and cursor.takes("AS ENUM"):
        yield TypeNamed(name.rpartition(".")[2])


def _domain(cursor: Cursor, name: str) -> Iterator[Change]:
    cursor.takes("AS")
    if name:
        yield TypeNamed(name.rpartition(".")[2], read_type(cursor).type, "")


def _table(cursor: Cursor) -> Iterator[Change]:
    if_absent = cursor.takes("IF NOT EXISTS")
    name = cursor.name()
    inside = cursor.brackets()
    if not name or inside is None:
        yield LeftOut("table_without_columns")
        return
    parts = [read_item(item) for item in inside.items()]
    fields = _fields(parts)
    if fields:
        keys = tuple(key for part in parts for key in part.keys)
        yield Created(name, fields[:MAX_FIELDS], keys[:MAX_FIELDS], if_absent=if_absent)
    if not fields or len(fields) > MAX_FIELDS:
        yield LeftOut("too_many_columns" if fields else "table_without_columns")


def _fields(parts: list[Parts]) -> tuple[Field, ...]:
    limited = {name.lower() for part in parts for name in part.limited}
    fields = (field for part in parts for field in part.fields)
    return tuple(
        msgspec.structs.replace(field, enum=field.enum or "check") if field.name.lower() in limited else field
        for field in fields
    )


def _index(cursor: Cursor, *, unique: bool) -> Iterator[Change]:
    cursor.takes("CONCURRENTLY")
    cursor.takes("IF NOT EXISTS")
    name = "" if cursor.key == "ON" else cursor.name().rpartition(".")[2]
    if not cursor.takes("ON"):
        return
    cursor.takes("ONLY")
    table = cursor.name()
    if cursor.takes("USING"):
        cursor.at += 1
    columns = read_columns(cursor)
    if table and columns:
        partial = "WHERE" in cursor.keys[cursor.at :]
        yield KeyAdded(table, Key("unique" if unique and not partial else "index", columns, name))
