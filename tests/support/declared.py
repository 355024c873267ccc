"""Tables that files declare, by name."""

from __future__ import annotations

from instance.analysis.languages import language_of
from instance.analysis.parse import parse
from instance.learning.dataschema.combining import combine
from instance.learning.dataschema.reading import tables_in
from instance.learning.dataschema.values import Table


def tables(**files: str) -> dict[str, Table]:
    """Tables of files by name; the name of a file is its path with `__` for a slash and `_ext` for its ending."""
    per_file = {}
    for name, text in files.items():
        stem, _, ending = name.replace("__", "/").rpartition("_")
        path = f"{stem}.{ending}"
        language = language_of(path)
        content = parse(text.encode(), language) if language else text
        per_file[path] = tables_in(path, content, language.name if language else ending)
    return {table.name: table for table in combine(per_file)}


def said(table: Table) -> dict[str, str]:
    """Types of the columns by name, with `?` where there may be none."""
    return {column.name: column.type + "?" * column.nullable for column in table.columns}
