"""Ecto schemas."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import Change, Created, Field, Key
from instance.learning.dataschema.readers.phrases import inside, labelled, split, unquoted
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.types import PUBLIC, public_type

ECTO_TYPES = {**PUBLIC, "id": "bigint", "bigserial": "bigint", "time": "other", "any": "other", "binary": "bytes"}


def read_ecto(source: Source) -> Iterator[Change]:
    """Yield the table of every schema in a file; an embedded schema has none."""
    if not {"schema", "Ecto.Schema"} <= source.words and "schema" not in source.words:
        return
    for module in source.outline.below():
        head = source.outline.head(module)
        if head[:1] == ["defmodule"] and len(head) > 1:
            yield from _module(source, module, head[1].rpartition(".")[2])


def _module(source: Source, module: int, model: str) -> Iterator[Change]:
    primary: Field | None = Field("id", "bigint", nullable=False)
    foreign = "bigint"
    for child in source.outline.children(module):
        texts = source.outline.texts(child)
        if texts[:2] == ["@", "primary_key"]:
            primary = _primary(texts[2:])
        elif texts[:2] == ["@", "foreign_key_type"] and texts[2:]:
            foreign = public_type(texts[2], ECTO_TYPES)
        elif texts[:1] == ["schema"] and texts[1:2] and texts[1][:1] == '"':
            yield from _schema(source, child, model, primary, foreign)


def _primary(texts: list[str]) -> Field | None:
    parts = list(split(inside(texts)))
    return Field(unquoted(parts[0][0]), _kind(parts[1]), nullable=False) if parts[1:] else None


def _schema(source: Source, schema: int, model: str, primary: Field | None, foreign: str) -> Iterator[Change]:
    fields = [primary] if primary else []
    keys: list[Key] = []
    marked = [primary.name] if primary else []
    for child in source.outline.children(schema):
        word, *rest = source.outline.texts(child) or [""]
        parts, named = labelled(inside(rest) or rest)
        if word == "field" and parts:
            field = _field(parts, named)
            fields.append(field)
            marked.extend([field.name] if named.get("primary_key") == ["true"] else [])
        elif word == "belongs_to" and parts[1:]:
            column = unquoted(named.get("foreign_key", [f"{unquoted(parts[0][0])}_id"])[0])
            kind = public_type(named["type"][0], ECTO_TYPES) if "type" in named else foreign
            fields.append(Field(column, kind))
            keys.append(Key("foreign", (column,), "", parts[1][0].rpartition(".")[2]))
        elif word == "timestamps":
            fields.extend(stamps(named))
    if marked:
        keys.append(Key("primary", tuple(marked)))
    table = unquoted(source.outline.texts(schema)[1])
    yield Created(table, tuple(fields), tuple(keys), "ecto", model)


def _field(parts: list[list[str]], named: dict[str, list[str]]) -> Field:
    name = unquoted(named["source"][0]) if "source" in named else unquoted(parts[0][0])
    kind = parts[1] if parts[1:] else [":string"]
    enum = "model" if kind[0].endswith("Enum") else ""
    return Field(name, "text" if enum else _kind(kind), enum=enum)


def _kind(texts: list[str]) -> str:
    """Return the type of `:string`, `{:array, :string}` or `Ecto.UUID`."""
    if texts[0] == "{":
        return "array" if texts[1:2] == [":array"] else public_type(texts[1] if texts[1:] else "", ECTO_TYPES)
    return public_type(texts[0].rpartition(".")[2], ECTO_TYPES)


def stamps(named: dict[str, list[str]]) -> Iterator[Field]:
    """Yield the columns of `timestamps()`; an option may rename or leave out one."""
    for label, name in (("inserted_at", "inserted_at"), ("updated_at", "updated_at")):
        given = named.get(label, [name])
        if given != ["false"]:
            yield Field(unquoted(given[0]), "timestamp", nullable=False)
