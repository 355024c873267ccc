"""Schemas of ent, the entity framework for Go."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import Change, Created, Field, Key
from instance.learning.dataschema.readers.phrases import Call, chain, inside, plural, snake_case, split, texts_in
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.types import PUBLIC, public_type

_TYPES = {
    **PUBLIC,
    "int": "bigint",
    "uint": "bigint",
    "strings": "json",
    "ints": "json",
    "floats": "json",
    "time": "timestamp",
}


def read_ent(source: Source) -> Iterator[Change]:
    """Yield the tables whose schemas a file holds: what `Fields` and `Indexes` return."""
    if not {"ent", "Fields"} <= source.words:
        return
    fields: dict[str, list[list[Call]]] = {}
    indexes: dict[str, list[list[Call]]] = {}
    for statement in source.outline.children():
        head = source.outline.head(statement)
        method = head[head.index(")") + 1] if head[:2] == ["func", "("] and ")" in head[:-1] else ""
        found = {"Fields": fields, "Indexes": indexes}.get(method)
        if found is not None:
            found[head[head.index(")") - 1]] = _listed(source, statement)
    for name, calls in fields.items():
        yield from _schema(name, calls, indexes.get(name, []))


def _listed(source: Source, method: int) -> list[list[Call]]:
    """Return the chains of calls in the list that a method returns."""
    for child in source.outline.children(method):
        texts = source.outline.texts(child)
        if texts[:1] == ["return"] and "{" in texts:
            parts = split(inside(texts[texts.index("{") :]))
            return [calls for part in parts if (calls := chain(part))]
    return []


def _schema(name: str, listed: list[list[Call]], indexed: list[list[Call]]) -> Iterator[Change]:
    columns: list[Field] = []
    keys: list[Key] = []
    for calls in listed:
        given = texts_in(calls[0].first)
        if not calls[0].path.startswith("field.") or not given:
            continue
        column = _column(given[0], calls)
        columns.append(column)
        if any(each.name == "Unique" for each in calls):
            keys.append(Key("unique", (column.name,)))
    if any(column.name == "id" for column in columns):
        keys.append(Key("primary", ("id",)))
    for calls in indexed:
        names = tuple(name for part in calls[0].arguments for name in texts_in(part))
        if names:
            unique = any(each.name == "Unique" for each in calls)
            keys.append(Key("unique" if unique else "index", names))
    if columns:
        yield Created(plural(snake_case(name)), tuple(columns), tuple(keys), "ent", name, implicit_id="bigint")


def _column(name: str, calls: list[Call]) -> Field:
    kind = calls[0].name
    key = next((texts_in(each.first) for each in calls if each.name == "StorageKey"), ())
    nullable = any(each.name == "Nillable" for each in calls)
    enum = "type" if kind == "Enum" else ""
    return Field(key[0] if key else name, "text" if enum else public_type(kind, _TYPES), nullable, enum)
