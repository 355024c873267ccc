"""What ALTER TABLE does."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import (
    Change,
    FieldAdded,
    FieldAltered,
    FieldRemoved,
    KeyAdded,
    KeyRemoved,
    Renamed,
)
from instance.learning.dataschema.readers.sql_columns import Parts, read_column, read_item, read_type
from instance.learning.dataschema.readers.sql_cursor import Cursor

_NAMED = frozenset({"CONSTRAINT", "INDEX", "KEY", "CHECK"})


def read_alter(cursor: Cursor) -> Iterator[Change]:
    """Yield what the actions of one ALTER TABLE do; the cursor stands behind these two words."""
    cursor.takes("IF EXISTS")
    cursor.takes("ONLY")
    table = cursor.name()
    if not table:
        return
    for action in cursor.items():
        yield from _action(table, action)


def _action(table: str, action: Cursor) -> Iterator[Change]:
    if action.takes("ADD"):
        yield from _added(table, action)
    elif action.takes("DROP"):
        yield from _dropped(table, action)
    elif action.takes("RENAME"):
        yield from _renamed(table, action)
    elif action.takes("ALTER"):
        yield from _altered(table, action)
    elif action.takes("MODIFY"):
        action.takes("COLUMN")
        yield from _redefined(table, read_column(action))
    elif action.takes("CHANGE"):
        action.takes("COLUMN")
        before = action.name()
        parts = read_column(action)
        if before and parts.fields:
            yield Renamed(table, parts.fields[0].name, before)
        yield from _redefined(table, parts)


def _added(table: str, action: Cursor) -> Iterator[Change]:
    action.takes("COLUMN")
    action.takes("IF NOT EXISTS")
    inside = action.brackets()
    for item in inside.items() if inside else (action,):
        parts = read_item(item)
        for field in parts.fields:
            yield FieldAdded(table, field)
        for key in parts.keys:
            yield KeyAdded(table, key)
        for column in parts.limited:
            yield FieldAltered(table, column, enum="check")


def _dropped(table: str, action: Cursor) -> Iterator[Change]:
    if action.takes("PRIMARY KEY"):
        yield KeyRemoved(table, kind="primary")
        return
    named = action.takes("FOREIGN KEY") or bool(action.key in _NAMED and action.skip(_NAMED))
    action.takes("COLUMN")
    action.takes("IF EXISTS")
    name = action.name()
    if named and name:
        yield KeyRemoved(table, name)
    elif name:
        yield FieldRemoved(table, name)


def _renamed(table: str, action: Cursor) -> Iterator[Change]:
    if action.takes("TO") or action.takes("AS"):
        if to := action.name():
            yield Renamed(table, to)
        return
    if action.key in _NAMED:
        return
    action.takes("COLUMN")
    before = action.name()
    if before and action.takes("TO") and (to := action.name()):
        yield Renamed(table, to, before)


def _altered(table: str, action: Cursor) -> Iterator[Change]:
    action.takes("COLUMN")
    column = action.name()
    if not column:
        return
    if action.takes("SET NOT NULL"):
        yield FieldAltered(table, column, nullable=False)
    elif action.takes("DROP NOT NULL"):
        yield FieldAltered(table, column, nullable=True)
    elif action.takes("SET DATA TYPE") or action.takes("TYPE"):
        field = read_type(action)
        yield FieldAltered(table, column, field.type, of=field.of)


def _redefined(table: str, parts: Parts) -> Iterator[Change]:
    for field in parts.fields:
        yield FieldAltered(table, field.name, field.type, field.nullable, field.enum, field.of)
    for key in parts.keys:
        yield KeyAdded(table, key)
