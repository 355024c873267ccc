"""The modeller: the tables of a codebase, from its migrations and its models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from instance.agents.agent import Agent, Finding
from instance.agents.codebase import Codebase
from instance.learning.dataschema.changes import Change
from instance.learning.dataschema.combining import combine
from instance.learning.dataschema.conventions import conventions
from instance.learning.dataschema.reading import schema_language_of, tables_in
from instance.learning.dataschema.shape import shape
from instance.learning.dataschema.values import Table
from instance.learning.technology.places import Place, place_of

HOLDS_MIN = 2
"""A convention kept by one table alone is an accident."""
USUAL_SHARE = 0.8


class Modeller(Agent):
    """Learns the shapes of tables, and the conventions they follow."""

    name = "modeller"

    def reads(self, path: str) -> bool:
        """Tell whether a file declares tables without being source code."""
        return schema_language_of(path) is not None

    def study(self, codebase: Codebase) -> Iterable[Finding]:
        """Return shapes, each with the number of its tables, and conventions."""
        tables = tables_of(codebase)
        by_shape = {shape(table): table for table in tables}
        counts = Counter(map(shape, tables))
        for text, table in by_shape.items():
            yield _shape(text, table, counts[text])
        for one in conventions(tables):
            share = one.holds / one.of
            if one.holds >= HOLDS_MIN and share >= USUAL_SHARE:
                name = f"schema.{one.name}"
                yield Finding(
                    name=name,
                    files=one.holds,
                    occurrences=one.holds,
                    body={"name": name, "confidence": round(share, 1)},
                )


def tables_of(codebase: Codebase) -> list[Table]:
    """Return the tables of a codebase as its migrations and models leave them."""
    return combine(dict(_changes(codebase)))


def _changes(codebase: Codebase) -> Iterator[tuple[str, list[Change]]]:
    for path in codebase.facts:
        if place_of(path) is Place.CODE and (changes := codebase.facts_of(path).tables):
            yield path, changes
    for path in codebase.paths:
        language = schema_language_of(path)
        if language is not None and place_of(path) is Place.CODE:
            yield path, tables_in(path, codebase.text(path), language)


def _shape(text: str, table: Table, count: int) -> Finding:
    body = {
        "columns": len(table.columns),
        "keys": bool(table.primary_key) + len(table.uniques) + len(table.foreign_keys),
        "indexes": len(table.indexes),
        "shape": text[:4096],
        "table": table.name[:4096],
    }
    return Finding(kind="data.schema", name=table.name, identity=text, files=count, occurrences=count, body=body)
