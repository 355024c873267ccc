"""What a table is, whoever declared it."""

from __future__ import annotations

from typing import Final, NamedTuple

TYPES: Final = frozenset(
    {
        "integer", "bigint", "text", "boolean", "numeric", "float", "timestamp",
        "date", "json", "uuid", "bytes", "array", "other",
    }
)  # fmt: skip


class Column(NamedTuple):
    """One column; `type` is one of TYPES, `enum` says what limits its values: "type", "check", "model" or ""."""

    name: str
    type: str = "other"
    nullable: bool = True
    primary: bool = False
    enum: str = ""


class ForeignKey(NamedTuple):
    """Columns that point at another table; `target_columns` is empty where the declaration leaves them out."""

    columns: tuple[str, ...]
    table: str
    target_columns: tuple[str, ...] = ()


class Table(NamedTuple):
    """One table in its final state; `source` is the kind of declaration that named it, `path` where it stands."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    uniques: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    source: str = "sql"
    path: str = ""
