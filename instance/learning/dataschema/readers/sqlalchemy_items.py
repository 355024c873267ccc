"""Columns and constraints as SQLAlchemy writes them; Alembic and SQLModel use the same words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from instance.learning.dataschema.changes import Field, Key
from instance.learning.dataschema.readers.phrases import (
    Call,
    call,
    inside,
    is_text,
    last_name,
    split,
    texts_in,
    unquoted,
)
from instance.learning.dataschema.readers.python_classes import Annotated
from instance.learning.dataschema.types import PUBLIC, is_public_type, public_type

COLUMN_CALLS = frozenset({"Column", "mapped_column"})
_TYPES = {**PUBLIC, "interval": "other", "pickletype": "bytes"}
_UNTYPED = Annotated("", nullable=True)
_NOT_TYPES = frozenset(
    {"ForeignKey", "CheckConstraint", "Computed", "Identity", "Sequence", "FetchedValue", "DefaultClause", "None"}
)


class Items(NamedTuple):
    """What a list of columns and constraints declares."""

    fields: tuple[Field, ...]
    keys: tuple[Key, ...]


def read_items(parts: Iterable[list[str]]) -> Items:
    """Return the columns and constraints among the arguments of `Table(...)` or `create_table(...)`."""
    fields: list[Field] = []
    keys: list[Key] = []
    for part in parts:
        found = call(part)
        if found is None:
            continue
        if found.name in COLUMN_CALLS:
            column = read_column("", found)
            fields.extend(column.fields)
            keys.extend(column.keys)
        elif key := _constraint(found):
            keys.append(key)
    return Items(tuple(fields), merged_primary(keys))


def read_column(name: str, found: Call, says: Annotated = _UNTYPED) -> Items:
    """Return one column with the keys its arguments declare; `says` is what its annotation does."""
    name, arguments = (unquoted(found.first[0]), found.arguments[1:]) if _names(found) else (name, found.arguments)
    foreign = [key for part in arguments if (key := _reference(name, part))]
    kind = _type(next((part for part in arguments if last_name(part) not in _NOT_TYPES), found.named.get("type_", [])))
    primary = bool(found.flag("primary_key"))
    if kind is None:
        kind = Field("", public_type(says.type, _TYPES), of=_unknown(says.type))
    if kind.type == "other" and not kind.of and foreign:
        kind = Field("", of=foreign[0].table)
    nullable = found.flag("nullable")
    field = Field(name, kind.type, says.nullable if nullable is None else nullable, kind.enum, kind.of)
    keys = [*foreign]
    if primary:
        keys.append(Key("primary", (name,)))
    if found.flag("unique"):
        keys.append(Key("unique", (name,)))
    elif found.flag("index"):
        keys.append(Key("index", (name,)))
    return Items((field,) if name else (), tuple(keys) if name else ())


def merged_primary(keys: Iterable[Key]) -> tuple[Key, ...]:
    """Return the keys with the columns marked primary one by one as one key."""
    primary: tuple[str, ...] = ()
    others: list[Key] = []
    for key in keys:
        if key.kind == "primary":
            primary += tuple(name for name in key.columns if name not in primary)
        else:
            others.append(key)
    return (Key("primary", primary), *others) if primary else tuple(others)


def _names(found: Call) -> bool:
    return len(found.first) == 1 and is_text(found.first[0])


def _type(texts: list[str]) -> Field | None:
    """Return a type as a field without a name; None when there is none."""
    name = last_name(texts)
    if not name:
        return None
    found = call(texts)
    if found and name in ("as_mutable", "with_variant"):
        return _type(found.first)
    if name in ("Enum", "ENUM", "Literal"):
        return Field("", "text", enum="type")
    return Field("", public_type(name, _TYPES), of="" if name.lower() in _TYPES else _unknown(name))


def _unknown(name: str) -> str:
    return "" if not name or is_public_type(name) else name


def _reference(column: str, part: list[str]) -> Key | None:
    if last_name(part) != "ForeignKey":
        return None
    found = call(part)
    target = found.first if found else []
    dotted = unquoted(target[0]) if len(target) == 1 else "".join(target)
    table, _, name = dotted.rpartition(".")
    return Key("foreign", (column,), "", table, (name,)) if table else None


def _constraint(found: Call) -> Key | None:
    name = found.text("name")
    columns = texts_in([token for part in found.arguments for token in part])
    if found.name == "PrimaryKeyConstraint":
        return Key("primary", columns, name)
    if found.name == "UniqueConstraint":
        return Key("unique", columns, name)
    if found.name == "ForeignKeyConstraint" and len(found.arguments) > 1:
        targets = texts_in(found.arguments[1])
        table = targets[0].rpartition(".")[0] if targets else ""
        return Key("foreign", texts_in(found.first), name, table, tuple(each.rpartition(".")[2] for each in targets))
    if found.name == "Index":
        return read_index(found, found.arguments[1:])
    return None


def read_index(found: Call, parts: list[list[str]]) -> Key | None:
    """Return an index whose first argument is its name; `parts` are the arguments that name its columns."""
    names = [name for part in parts for token in split(inside(part) or part) if (name := _column(token))]
    unique = found.flag("unique") and not any("where" in label for label in found.named)
    given = unquoted(found.first[0]) if _names(found) else ""
    return Key("unique" if unique else "index", tuple(names), given) if names else None


def _column(texts: list[str]) -> str:
    if is_text(texts[0]):
        return unquoted(texts[0])
    arguments = call(texts)
    if arguments and arguments.name == "text":
        return unquoted(arguments.first[0]) if arguments.first else ""
    return last_name(arguments.first if arguments else texts)
