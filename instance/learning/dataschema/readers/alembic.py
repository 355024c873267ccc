"""Alembic migrations: the operations of `upgrade`, and the SQL it executes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from types import MappingProxyType

from instance.learning.dataschema.changes import (
    Change,
    Created,
    Dropped,
    FieldAdded,
    FieldAltered,
    FieldRemoved,
    Key,
    KeyAdded,
    KeyKind,
    KeyRemoved,
    Renamed,
    Revision,
)
from instance.learning.dataschema.readers.phrases import Call, call, inside, is_text, split, texts_in, unquoted
from instance.learning.dataschema.readers.python_classes import attribute
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.readers.sql import read_sql
from instance.learning.dataschema.readers.sqlalchemy_items import Items, read_column, read_index, read_items

_PREFIXES = ("op", "batch_op")
_TABLE_SECOND = frozenset(
    {
        "create_index",
        "create_unique_constraint",
        "create_primary_key",
        "create_foreign_key",
        "drop_constraint",
        "drop_index",
    }
)
"""Operations that name what they make or drop before the table, which a batch leaves out."""


def is_migration(source: Source) -> bool:
    """Tell whether a file is a migration of Alembic."""
    return source.words >= {"upgrade", "op", "down_revision"}


def read_alembic(source: Source) -> Iterator[Change]:
    """Yield what the file's `upgrade` does; `downgrade` is not read."""
    if not is_migration(source):
        return
    constants = _constants(source)
    yield Revision("".join(constants.get("revision", [])), tuple(constants.get("down_revision", [])))
    for statement in source.outline.children():
        if source.outline.head(statement)[:2] == ["def", "upgrade"]:
            yield from _Upgrade(source, constants).read(statement)


def _constants(source: Source) -> dict[str, list[str]]:
    """Return the texts every name of the module is bound to."""
    found: dict[str, list[str]] = {}
    for statement in source.outline.children():
        each = attribute(source.outline.texts(statement))
        if each is not None:
            found[each.name] = [said for token in each.value if is_text(token) and (said := _literal(token))]
    return found


def _literal(token: str) -> str:
    """Return what a Python string says; "" when only running the program would tell."""
    try:
        said = ast.literal_eval(token)
    except (ValueError, SyntaxError, MemoryError):
        return ""
    return said if isinstance(said, str) else ""


class _Upgrade:
    """One `upgrade` on its way through: the tables its batches are about, and the texts the module binds."""

    def __init__(self, source: Source, constants: dict[str, list[str]]) -> None:
        self.outline = source.outline
        self.constants = constants
        self.batches: dict[str, str] = {}

    def read(self, upgrade: int) -> Iterator[Change]:
        """Yield the changes of every statement, in order."""
        for child in self.outline.children(upgrade):
            yield from self._statement(child)

    def _statement(self, statement: int) -> Iterator[Change]:
        children = self.outline.children(statement)
        if children and "execute" in self.outline.texts(statement):
            yield from self._executed(self.outline.texts(statement))
        self._open_batch(self.outline.head(statement))
        for child in children:
            yield from self._statement(child)
        if not children:
            yield from self._operation(self.outline.texts(statement))

    def _open_batch(self, head: list[str]) -> None:
        """Remember the table of `with op.batch_alter_table("table") as name:`."""
        if head[:1] == ["with"] and "as" in head:
            opened = call(head[1:])
            if opened and opened.name == "batch_alter_table" and opened.first:
                self.batches[head[head.index("as") + 1]] = unquoted(opened.first[0])

    def _operation(self, texts: list[str]) -> Iterator[Change]:
        found = call(texts)
        if found is None:
            return
        prefix, _, name = found.path.rpartition(".")
        if name == "execute":
            yield from self._executed(texts)
        elif prefix in self.batches:
            at = 1 if name in _TABLE_SECOND else 0
            arguments = [*found.arguments[:at], [repr(self.batches[prefix])], *found.arguments[at:]]
            yield from _read(name, found._replace(arguments=arguments))
        elif prefix in _PREFIXES:
            yield from _read(name, found)

    def _executed(self, texts: list[str]) -> Iterator[Change]:
        """Yield what the SQL does that a statement names: as a string, or as a constant of the module."""
        for token in texts:
            if is_text(token):
                yield from read_sql(_literal(token))
            else:
                for said in self.constants.get(token, ()):
                    yield from read_sql(said)


def _read(name: str, found: Call) -> Iterator[Change]:
    reader = _READERS.get(name)
    if reader is not None and found.arguments:
        yield from reader(found, [_said(part) for part in found.arguments])


def _said(part: list[str]) -> str:
    """Return what a plain argument says, `op.f("name")` included; "" for anything else."""
    texts = texts_in(part)
    return texts[0] if len(texts) == 1 and part[0] != "[" else ""


def _create_table(found: Call, said: list[str]) -> Iterator[Change]:
    items = read_items(found.arguments[1:])
    if said[0]:
        yield Created(said[0], items.fields, items.keys, "alembic")


def _drop_table(_found: Call, said: list[str]) -> Iterator[Change]:
    yield Dropped(said[0])


def _rename_table(_found: Call, said: list[str]) -> Iterator[Change]:
    if said[1:]:
        yield Renamed(said[0], said[1])


def _add_column(found: Call, said: list[str]) -> Iterator[Change]:
    column = call(found.arguments[1]) if said[1:] else None
    items = read_column("", column) if column else Items((), ())
    for field in items.fields:
        yield FieldAdded(said[0], field)
    for key in items.keys:
        yield KeyAdded(said[0], key)


def _drop_column(_found: Call, said: list[str]) -> Iterator[Change]:
    if said[1:]:
        yield FieldRemoved(said[0], said[1])


def _alter_column(found: Call, said: list[str]) -> Iterator[Change]:
    if not said[1:]:
        return
    if to := found.text("new_column_name"):
        yield Renamed(said[0], to, said[1])
    column = found.text("new_column_name") or said[1]
    kind = None
    if "type_" in found.named:
        kind = read_column("x", Call("Column", [found.named["type_"]], {})).fields[0].type
    yield FieldAltered(said[0], column, kind, found.flag("nullable"))


def _create_index(found: Call, said: list[str]) -> Iterator[Change]:
    columns = inside(found.arguments[2]) if said[2:] else []
    key = read_index(found, list(split(columns)))
    if key:
        yield KeyAdded(said[1], key)


def _create_key(found: Call, said: list[str]) -> Iterator[Change]:
    kind: KeyKind = "primary" if found.name == "create_primary_key" else "unique"
    if said[2:]:
        yield KeyAdded(said[1], Key(kind, texts_in(found.arguments[2]), said[0]))


def _create_foreign(found: Call, said: list[str]) -> Iterator[Change]:
    if said[4:]:
        columns, targets = texts_in(found.arguments[3]), texts_in(found.arguments[4])
        yield KeyAdded(said[1], Key("foreign", columns, said[0], said[2], targets))


def _drop_key(found: Call, said: list[str]) -> Iterator[Change]:
    yield KeyRemoved(found.text("table_name") or (said[1] if said[1:] else ""), said[0])


_READERS: MappingProxyType[str, Callable[[Call, list[str]], Iterator[Change]]] = MappingProxyType(
    {
        "create_table": _create_table,
        "drop_table": _drop_table,
        "rename_table": _rename_table,
        "add_column": _add_column,
        "drop_column": _drop_column,
        "alter_column": _alter_column,
        "create_index": _create_index,
        "create_unique_constraint": _create_key,
        "create_primary_key": _create_key,
        "create_foreign_key": _create_foreign,
        "drop_constraint": _drop_key,
        "drop_index": _drop_key,
    }
)
