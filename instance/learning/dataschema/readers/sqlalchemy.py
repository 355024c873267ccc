"""Models of SQLAlchemy (declarative and Table), Flask-SQLAlchemy and SQLModel."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import Change, Created, Field, Key, TypeNamed
from instance.learning.dataschema.readers.alembic import is_migration
from instance.learning.dataschema.readers.phrases import (
    NO_CALL,
    call,
    calls_of,
    inside,
    last_name,
    only_text,
    snake_case,
    split,
)
from instance.learning.dataschema.readers.python_classes import Attribute, Class, annotated, attribute, classes
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.readers.sqlalchemy_items import (
    COLUMN_CALLS,
    Items,
    merged_primary,
    read_column,
    read_items,
)
from instance.learning.dataschema.types import public_type

_MAKES_BASE = frozenset({"declarative_base", "automap_base", "SQLAlchemy"})
_SIGNS = frozenset({"Column", "mapped_column", "Mapped", "SQLModel"})
_TABLE = frozenset({"Table"})


def read_sqlalchemy(source: Source) -> Iterator[Change]:
    """Yield the tables a file declares, the classes they may inherit columns from, and names of types.

    What a migration declares for its own use is a view of an older schema, and not read.
    """
    if not source.words & _SIGNS or is_migration(source) or "migrations" in source.path.split("/"):
        return
    aliases: dict[str, Attribute] = {}
    for statement in source.outline.children():
        each = attribute(source.outline.head(statement))
        if each is None:
            continue
        if last_name(each.value) == "Annotated":
            aliases[each.name] = each
            yield TypeNamed(each.name, public_type(annotated(each.value).type), "")
        elif last_name(each.value) in _MAKES_BASE:
            yield Created("", (), (), "sqlalchemy", each.name)
    for found in classes(source.outline):
        yield from _model(found, aliases)
    if "Table" in source.words:
        yield from _tables(source)


def _model(found: Class, aliases: dict[str, Attribute]) -> Iterator[Change]:
    table, modelled = _table_name(found), "SQLModel" in found.bases or "table" in found.header.named
    fields: list[Field] = []
    keys: list[Key] = []
    for each in found.attributes:
        if each.name == "__table_args__":
            items = read_items(split(inside(each.value)))
        else:
            items = _column(_unaliased(each, aliases), modelled=modelled)
        fields.extend(items.fields)
        keys.extend(items.keys)
    if fields or found.bases:
        kind = "sqlmodel" if modelled else "sqlalchemy"
        yield Created(table, tuple(fields), merged_primary(keys), kind, found.name, found.parts)


def _unaliased(each: Attribute, aliases: dict[str, Attribute]) -> Attribute:
    """Return `id: Mapped[key]` as what `key = Annotated[int, mapped_column(...)]` makes of it."""
    alias = aliases.get(annotated(each.annotation).type)
    if alias is None:
        return each
    kind, *said = split(inside(alias.value[1:]))
    value = next((part for part in said if last_name(part) in COLUMN_CALLS), ["mapped_column", "(", ")"])
    nullable = ["|", "None"] if annotated(each.annotation).nullable else []
    own = call(each.value)
    says_more = own is not None and (own.arguments or own.named)
    return Attribute(each.name, ["Mapped", "[", *kind, *nullable, "]"], each.value if says_more else value)


def _table_name(found: Class) -> str:
    for each in found.attributes:
        if each.name == "__tablename__" and (name := only_text(each.value)):
            return name
    if found.header.flag("table"):
        return found.name.lower()
    return snake_case(found.name) if "db.Model" in found.bases else ""


def _column(each: Attribute, *, modelled: bool) -> Items:
    value = call(each.value)
    says = annotated(each.annotation)
    if value and value.name in COLUMN_CALLS:
        plain = says._replace(nullable=True) if not each.annotation else says
        return read_column(each.name, value, plain)
    mapped = last_name(each.annotation) == "Mapped" and not each.value
    if modelled and each.annotation and (value is None or value.name == "Field"):
        return _modelled(each)
    return Items((_annotated_field(each),), ()) if mapped else Items((), ())


def _modelled(each: Attribute) -> Items:
    """Return a column of SQLModel: its type is the annotation, its keys are the arguments of `Field`."""
    value = call(each.value)
    if value is None:
        return Items((_annotated_field(each),), ())
    items = read_column(each.name, value._replace(arguments=[]), annotated(each.annotation))
    target = value.text("foreign_key").rpartition(".")
    foreign = (Key("foreign", (each.name,), "", target[0], (target[2],)),) if target[0] else ()
    return Items(items.fields, items.keys + foreign)


def _annotated_field(each: Attribute) -> Field:
    return read_column(each.name, NO_CALL, annotated(each.annotation)).fields[0]


def _tables(source: Source) -> Iterator[Change]:
    for statement in source.outline.below():
        head = source.outline.head(statement)
        for found in calls_of(head, _TABLE):
            name, items, variable = only_text(found.first), read_items(found.arguments[2:]), attribute(head)
            if name and items.fields:
                yield Created(name, items.fields, items.keys, "sqlalchemy", variable.name if variable else "")
