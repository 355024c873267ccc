"""A table without its names: the text that identifies its shape in every repository."""

from __future__ import annotations

from collections.abc import Mapping

from instance.learning.dataschema.values import Column, Table


def shape(table: Table) -> str:
    """Return the canonical text of a table: its columns' types and roles, then its keys over several columns.

    Sorted, so that neither the order of columns nor any name shows. `unique(bigint fk, text)` is a key over two
    columns; keys over one are words of the column, like `text unique`.
    """
    words = _words(table)
    lines = sorted(words.values())
    keys = [("pk", table.primary_key)]
    keys += [("unique", columns) for columns in table.uniques]
    keys += [("index", columns) for columns in table.indexes]
    keys += [("self" if key.table == table.name else "fk", key.columns) for key in table.foreign_keys]
    lines += sorted(f"{kind}({', '.join(words[name] for name in names)})" for kind, names in keys if len(names) > 1)
    return "\n".join(lines)


def _words(table: Table) -> Mapping[str, str]:
    """Return what may be said of each column: its type, then its roles in a fixed order."""
    foreign = {name for key in table.foreign_keys for name in key.columns if key.table != table.name}
    own = {name for key in table.foreign_keys for name in key.columns if key.table == table.name}
    unique = {names[0] for names in table.uniques if len(names) == 1}
    indexed = {names[0] for names in table.indexes if len(names) == 1}
    return {
        column.name: _said(column)
        + " fk" * (column.name in foreign)
        + " self" * (column.name in own)
        + " unique" * (column.name in unique)
        + " indexed" * (column.name in indexed)
        for column in table.columns
    }


def _said(column: Column) -> str:
    return column.type + " enum" * bool(column.enum) + " null" * column.nullable + " pk" * column.primary
