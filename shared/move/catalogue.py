"""What a database is made of: its tables, in an order in which they can be filled, and its sequences."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from graphlib import TopologicalSorter
from typing import Any, Final, NamedTuple

from msgspec import Struct
from psycopg import Connection, sql

CACHES: Final = frozenset({"embeddings"})
"""Made anew by the daemon; the type of the vectors depends on the server."""
_NOT_CARRIED: Final = CACHES | {"alembic_version", "flocklore_move"}

_RELATIONS: Final = """
    SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, pg_total_relation_size(c.oid),
           ARRAY(SELECT attname::text FROM pg_attribute
                  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attname),
           ARRAY(SELECT attname::text FROM pg_attribute
                  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attname),
           ARRAY(SELECT DISTINCT confrelid::bigint FROM pg_constraint
                  WHERE conrelid = c.oid AND contype = 'f' AND confrelid <> c.oid)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
       AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
       AND NOT EXISTS (SELECT FROM pg_depend d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY n.nspname, c.relname
"""
"""Everything with rows that no extension brought."""
_TABLE: Final = "r"
_SEQUENCE: Final = "S"


class _Relation(NamedTuple):
    oid: int
    schema: str
    name: str
    kind: str
    size_bytes: int
    columns: list[str]
    stored: list[str]
    references: list[int]

    @property
    def title(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


class Table(Struct, frozen=True, kw_only=True):
    """A table; of `columns` those that the server does not compute are `stored`, `references` are titles of tables.

    The title is the name, with the schema where that is not the usual one; size is with indexes.
    """

    title: str
    identifier: sql.Identifier
    size_bytes: int
    columns: tuple[str, ...]
    stored: tuple[str, ...]
    references: frozenset[str]


class Sequence(Struct, frozen=True, kw_only=True):
    """Where a sequence stands; without `is_called` the next value is `last_value` itself."""

    title: str
    identifier: sql.Identifier
    last_value: int
    is_called: bool


def tables(connection: Connection[Any]) -> list[Table]:
    """The tables a move carries, each after those it references."""
    known = {one.oid: one for one in _relations(connection) if one.kind == _TABLE}
    order = TopologicalSorter({oid: one.references for oid, one in known.items()}).static_order()
    return [
        _table(known[oid], {known[other].title for other in known[oid].references})
        for oid in order
        if known[oid].name not in _NOT_CARRIED
    ]


def caches(connection: Connection[Any]) -> list[str]:
    """The tables that are there and are left behind."""
    return [one.title for one in _relations(connection) if one.name in CACHES]


def sequences(connection: Connection[Any]) -> list[Sequence]:
    """The sequences and where they stand."""
    return [_sequence(connection, one) for one in _relations(connection) if one.kind == _SEQUENCE]


def relations_count(connection: Connection[Any]) -> int:
    """How many tables, views and sequences there are."""
    return len(_relations(connection))


def unfinished(ordered: Iterable[Table], done: Collection[str]) -> list[Table]:
    """The tables still to be filled: those not `done`, and those that reference one of them."""
    missing: dict[str, Table] = {}
    for table in ordered:
        if table.title not in done or table.references & missing.keys():
            missing[table.title] = table
    return list(missing.values())


def _relations(connection: Connection[Any]) -> list[_Relation]:
    return [_Relation(*row) for row in connection.execute(_RELATIONS)]


def _table(relation: _Relation, references: Iterable[str]) -> Table:
    return Table(
        title=relation.title,
        identifier=sql.Identifier(relation.schema, relation.name),
        size_bytes=relation.size_bytes,
        columns=tuple(relation.columns),
        stored=tuple(relation.stored),
        references=frozenset(references),
    )


def _sequence(connection: Connection[Any], relation: _Relation) -> Sequence:
    identifier = sql.Identifier(relation.schema, relation.name)
    asking = sql.SQL("SELECT last_value, is_called FROM {}").format(identifier)
    last_value, is_called = connection.execute(asking).fetchall()[0]
    return Sequence(title=relation.title, identifier=identifier, last_value=last_value, is_called=is_called)
