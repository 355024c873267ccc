"""Ecto migrations: what `change` and `up` do."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import (
    Change,
    Created,
    Dropped,
    Field,
    FieldAdded,
    FieldAltered,
    FieldRemoved,
    Key,
    KeyAdded,
    KeyRemoved,
    Renamed,
)
from instance.learning.dataschema.readers.ecto import ECTO_TYPES, stamps
from instance.learning.dataschema.readers.phrases import Call, call, closing, inside, labelled, texts_in, unquoted
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.types import public_type

_FORWARDS = frozenset({"change", "up"})
_CREATES = frozenset({"create", "create_if_not_exists"})
_DROPS = frozenset({"drop", "drop_if_exists"})
_ADDS = frozenset({"add", "add_if_not_exists"})
_REMOVES = frozenset({"remove", "remove_if_exists"})
_INDEXES = frozenset({"index", "unique_index"})


def read_ecto_migration(source: Source) -> Iterator[Change]:
    """Yield what a migration does, forwards."""
    if "Ecto.Migration" not in source.words:
        return
    for statement in source.outline.below():
        head = source.outline.head(statement)
        if head[:1] == ["def"] and head[1:2] and head[1] in _FORWARDS:
            for child in source.outline.below(statement):
                yield from _statement(source, child)


def _statement(source: Source, statement: int) -> Iterator[Change]:
    head = source.outline.head(statement)
    word, subject = head[0] if head else "", call(_bare(head[1:]))
    if subject is None or not subject.first:
        return
    name = unquoted(subject.first[0])
    if subject.path in _INDEXES:
        yield from _index(word, subject, name)
    elif subject.path == "table" and word in _CREATES:
        yield _created(source, statement, subject, name)
    elif subject.path == "table" and word == "alter":
        yield from _altered(source, statement, name)
    elif subject.path == "table" and word in _DROPS:
        yield Dropped(name)
    elif subject.path == "table" and word == "rename":
        yield from _renamed(head, name)


def _bare(texts: list[str]) -> list[str]:
    """Return the texts without the brackets around all of them: `create(table(:a))` is `create table(:a)`."""
    return inside(texts) if texts[:1] == ["("] else texts


def _created(source: Source, statement: int, subject: Call, name: str) -> Change:
    said = subject.named.get("primary_key", [])
    fields: list[Field] = []
    keys: list[Key] = []
    primary: list[str] = []
    if said != ["false"]:
        kind = labelled(inside(said))[1].get("type", ["bigint"])
        fields.append(Field("id", public_type(kind[0], ECTO_TYPES), nullable=False))
        primary.append("id")
    for child in source.outline.children(statement):
        word, *rest = source.outline.texts(child) or [""]
        parts, named = labelled(inside(rest) or rest)
        if word == "timestamps":
            fields.extend(stamps(named))
        elif word in _ADDS and parts[1:]:
            field, key = _column(parts, named)
            fields.append(field)
            keys.extend([key] if key else [])
            primary.extend([field.name] if named.get("primary_key") == ["true"] else [])
    if primary:
        keys.append(Key("primary", tuple(primary)))
    return Created(name, tuple(fields), tuple(keys), "ecto-migration")


def _column(parts: list[list[str]], named: dict[str, list[str]]) -> tuple[Field, Key | None]:
    name, kind = unquoted(parts[0][0]), parts[1]
    nullable = named.get("null") != ["false"]
    refers = call(kind)
    if refers is not None and refers.path == "references" and refers.first:
        column = unquoted(refers.named.get("column", ["id"])[0])
        given = refers.named.get("type", [":bigint"])
        target = unquoted(refers.first[0])
        return Field(name, public_type(given[0], ECTO_TYPES), nullable), Key("foreign", (name,), "", target, (column,))
    array = kind[:2] == ["{", ":array"]
    return Field(name, "array" if array else public_type(unquoted(kind[0]), ECTO_TYPES), nullable), None


def _altered(source: Source, statement: int, table: str) -> Iterator[Change]:
    for child in source.outline.children(statement):
        word, *rest = source.outline.texts(child) or [""]
        parts, named = labelled(inside(rest) or rest)
        if word == "timestamps":
            for field in stamps(named):
                yield FieldAdded(table, field)
        elif word in _REMOVES and parts:
            yield FieldRemoved(table, unquoted(parts[0][0]))
        elif parts[1:] and (word in _ADDS or word == "modify"):
            yield from _defined(table, word, parts, named)


def _defined(table: str, word: str, parts: list[list[str]], named: dict[str, list[str]]) -> Iterator[Change]:
    field, key = _column(parts, named)
    if word == "modify":
        yield FieldAltered(table, field.name, field.type, field.nullable if "null" in named else None)
    else:
        yield FieldAdded(table, field)
    if key is not None:
        yield KeyAdded(table, key)


def _index(word: str, subject: Call, table: str) -> Iterator[Change]:
    columns = texts_in(subject.arguments[1]) if subject.arguments[1:] else ()
    name = subject.text("name")
    if not columns:
        return
    if word in _DROPS:
        yield KeyRemoved(table, name, columns=columns)
    elif word in _CREATES:
        unique = (subject.path == "unique_index" or subject.flag("unique")) and "where" not in subject.named
        yield KeyAdded(table, Key("unique" if unique else "index", columns, name))


def _renamed(head: list[str], table: str) -> Iterator[Change]:
    """Yield `rename table(:a), to: table(:b)` or `rename table(:a), :c, to: :d`."""
    rest = _bare(head[1:])
    parts, named = labelled(rest[closing(rest, 1) + 2 :])
    target = texts_in(named.get("to", []))
    if target:
        yield Renamed(table, target[0], unquoted(parts[0][0]) if parts else "")
