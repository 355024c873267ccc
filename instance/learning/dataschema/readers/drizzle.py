"""Drizzle tables."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import Change, Created, Field, Key, KeyKind, TypeNamed
from instance.learning.dataschema.readers.phrases import (
    Call,
    calls_of,
    chain,
    inside,
    is_text,
    labelled,
    split,
    unquoted,
)
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.types import public_type

_TABLES = frozenset({"pgTable", "mysqlTable", "sqliteTable", "singlestoreTable"})
_ENUMS = frozenset({"pgEnum"})
_MODES = {"boolean": "boolean", "timestamp": "timestamp", "timestamp_ms": "timestamp", "json": "json"}
_TABLE_KEYS: dict[str, KeyKind] = {
    "primaryKey": "primary",
    "unique": "unique",
    "uniqueIndex": "unique",
    "index": "index",
}


def read_drizzle(source: Source) -> Iterator[Change]:
    """Yield the tables and enumerations a file declares."""
    if not source.words & (_TABLES | _ENUMS):
        return
    for statement in source.outline.children():
        texts = source.outline.texts(statement)
        variable = texts[texts.index("=") - 1] if "=" in texts[1:6] else ""
        for _ in calls_of(texts, _ENUMS):
            yield TypeNamed(variable)
        for found in calls_of(texts, _TABLES):
            yield from _table(found, variable)


def _table(found: Call, variable: str) -> Iterator[Change]:
    if len(found.arguments) < 2 or not is_text(found.first[0]):  # noqa: PLR2004 - a name and its columns
        return
    fields: list[Field] = []
    keys: list[Key] = []
    names: dict[str, str] = {}
    for label, value in labelled(inside(found.arguments[1]))[1].items():
        calls = chain(value)
        if calls:
            field = _field(label, calls)
            names[label] = field.name
            fields.append(field)
            keys.extend(_keys(field, calls))
    for part in found.arguments[2:]:
        keys.extend(_table_keys(part, names))
    if fields:
        yield Created(unquoted(found.first[0]), tuple(fields), tuple(keys), "drizzle", variable)


def _field(label: str, calls: list[Call]) -> Field:
    first, names = calls[0], {each.name for each in calls[1:]}
    name = unquoted(first.first[0]) if first.first and is_text(first.first[0]) else label
    said = {key: value for part in first.arguments for key, value in labelled(inside(part))[1].items()}
    mode = _MODES.get(unquoted(said["mode"][0])) if "mode" in said else None
    kind = "array" if "array" in names else mode or public_type(first.name)
    serial = "serial" in first.name.lower()
    nullable = not (names & {"notNull", "primaryKey"} or serial)
    enum = "type" if first.name == "mysqlEnum" else "model" if "enum" in said else ""
    return Field(name, "text" if enum else kind, nullable, enum, first.name if kind == "other" else "")


def _keys(field: Field, calls: list[Call]) -> Iterator[Key]:
    for each in calls[1:]:
        if each.name in ("primaryKey", "unique"):
            yield Key("primary" if each.name == "primaryKey" else "unique", (field.name,))
        elif each.name == "references" and each.first:
            target = each.first[each.first.index("=>") + 1 :] if "=>" in each.first else []
            if target:
                yield Key("foreign", (field.name,), "", target[0], (target[-1],) if len(target) > 1 else ())


def _table_keys(part: list[str], names: dict[str, str]) -> Iterator[Key]:
    """Yield the keys of `(t) => [index("x").on(t.a, t.b), primaryKey({ columns: [t.a] })]`, or of an object."""
    body = part[part.index("=>") + 1 :] if "=>" in part else part
    while body[:1] == ["("]:
        body = inside(body)
    for item in split(inside(body)):
        calls = chain(item[2:] if item[1:2] == [":"] else item)
        kind = _TABLE_KEYS.get(calls[0].name) if calls else None
        columns = tuple(names[text] for each in calls for text in _mentioned(each) if text in names)
        if columns and kind:
            yield Key(kind, columns)


def _mentioned(each: Call) -> Iterator[str]:
    for part in each.arguments:
        yield from part
