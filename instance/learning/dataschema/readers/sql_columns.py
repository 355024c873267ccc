"""Columns and constraints as SQL writes them between the parentheses of a table."""

from __future__ import annotations

from typing import NamedTuple

from instance.analysis.language import words
from instance.learning.dataschema.changes import Field, Key
from instance.learning.dataschema.readers.sql_cursor import Cursor
from instance.learning.dataschema.readers.sql_tokens import NAME, NUMBER, STRING
from instance.learning.dataschema.types import is_public_type, public_type

_ENDS_TYPE = words(
    """
    NOT NULL DEFAULT PRIMARY UNIQUE REFERENCES CHECK CONSTRAINT GENERATED COLLATE AUTO_INCREMENT AUTOINCREMENT COMMENT
    ON AS IDENTITY STORED VIRTUAL USING KEY AFTER FIRST CHARSET STORAGE COMPRESSION INVISIBLE VISIBLE
    """
)
_INDEX_WORDS = frozenset({"INDEX", "KEY"})
_CONSTRAINTS = frozenset({"PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "EXCLUDE", "FULLTEXT", "SPATIAL"})
_CLUSTERING = frozenset({"CLUSTERED", "NONCLUSTERED"})
_BEFORE_UNIQUE_COLUMNS = _INDEX_WORDS | _CLUSTERING | {"NULLS", "NOT", "DISTINCT"}


class Parts(NamedTuple):
    """What one item between the commas of a table declares; `limited` are columns whose values a check lists."""

    fields: tuple[Field, ...] = ()
    keys: tuple[Key, ...] = ()
    limited: tuple[str, ...] = ()


def read_item(item: Cursor) -> Parts:
    """Return the column or the constraint that an item of CREATE TABLE or ADD declares."""
    if item.key == "LIKE":
        return Parts()  # what another table has
    name = item.name() if item.takes("CONSTRAINT") and item.key not in _CONSTRAINTS else ""
    if item.takes("CHECK"):
        inside = item.brackets()
        return Parts(limited=(inside.first_name(),)) if inside and lists_values(inside) else Parts()
    if item.key in _CONSTRAINTS or _is_index(item):
        key = _constraint(item, name)
        return Parts(keys=(key,)) if key and key.columns else Parts()
    return read_column(item)


def read_column(item: Cursor) -> Parts:
    """Return a column with its own constraints; nothing when no name stands here."""
    name = item.name()
    if not name:
        return Parts()
    field = read_type(item, name)
    keys: list[Key] = []
    nullable, enum = True, field.enum
    while item.key:
        start = item.at
        if item.takes("NOT NULL"):
            nullable = False
        elif item.takes("CHECK"):
            inside = item.brackets()
            enum = enum or ("check" if inside and lists_values(inside) else "")
        elif key := _inline_key(item, name):
            keys.append(key)
        item.at = max(item.at, start + 1)
    return Parts((Field(name, field.type, nullable, enum, field.of),), tuple(keys))


def read_columns(item: Cursor) -> tuple[str, ...]:
    """Take a list of columns in parentheses; of an expression, the first name in it."""
    inside = item.brackets()
    return tuple(name for part in inside.items() if (name := part.first_name())) if inside else ()


def read_type(item: Cursor, column: str = "") -> Field:
    """Take a type and return a column of it; `of` is its name when no database knows it."""
    said: list[str] = []
    array, one, enum = False, False, False
    while (key := item.key) and not (key in _ENDS_TYPE or (said and item.sees("CHARACTER", "SET"))):
        if key == "(":
            inside = item.brackets()
            one = inside is not None and inside.texts[inside.at : inside.end] == ["1"]
        elif _names_type(key):
            said.append(item.name().rpartition(".")[2])
            enum = enum or said[-1].upper() == "ENUM"
        else:
            array = array or key in ("[", "ARRAY")
            item.at += 1
    return _typed(column, [word for word in said if word.upper() != "ARRAY"], array=array, one=one, enum=enum)


def lists_values(inside: Cursor) -> bool:
    """Tell whether a check lists the texts a column may hold: `IN ('a', 'b')` or `= ANY (ARRAY['a', 'b'])`."""
    keys = inside.keys[inside.at : inside.end]
    return STRING in keys and ("IN" in keys or ("ANY" in keys and "ARRAY" in keys))


def _names_type(key: str) -> bool:
    return key == NAME or key[0].isalpha() or key[0] == "_"


def _typed(column: str, said: list[str], *, array: bool, one: bool, enum: bool) -> Field:
    if array:
        return Field(column, "array")
    if enum:
        return Field(column, "text", enum="type")
    plain = [word for word in said if word.upper() not in ("UNSIGNED", "SIGNED", "ZEROFILL")]
    name = "".join(plain)
    if one and name.upper() in ("TINYINT", "BIT"):
        return Field(column, "boolean")
    if not is_public_type(name) and plain and is_public_type(plain[0]):
        name = plain[0]  # what follows a known type says how, not what
    return Field(column, public_type(name), of="" if not plain or is_public_type(name) else plain[-1])


def _inline_key(item: Cursor, column: str) -> Key | None:
    if item.takes("DEFAULT"):
        item.at += item.key not in ("", "(")  # the default itself may be a word that means something elsewhere
    elif item.takes("PRIMARY KEY"):
        return Key("primary", (column,))
    elif item.takes("UNIQUE"):
        item.takes("KEY")
        return Key("unique", (column,))
    elif item.takes("REFERENCES"):
        return Key("foreign", (column,), "", item.name(), read_columns(item))
    else:
        item.brackets()
    return None


def _is_index(item: Cursor) -> bool:
    """Tell `KEY by_name (a, b)` from a column that is called `key` and has a type like `varchar(20)`."""
    if item.key not in _INDEX_WORDS:
        return False
    ahead = Cursor(item.statement, item.at + 1, item.end)
    ahead.name()
    if ahead.takes("USING"):
        return True
    return ahead.key == "(" and ahead.keys[ahead.at + 1 : ahead.at + 2] != [NUMBER]


def _constraint(item: Cursor, name: str) -> Key | None:
    if item.takes("PRIMARY KEY"):
        item.skip(_CLUSTERING)
        return Key("primary", read_columns(item), name)
    if item.takes("FOREIGN KEY"):
        name = item.name() or name
        columns = read_columns(item)
        return Key("foreign", columns, name, item.name(), read_columns(item)) if item.takes("REFERENCES") else None
    unique = item.takes("UNIQUE")
    item.skip(_BEFORE_UNIQUE_COLUMNS if unique else _INDEX_WORDS | {"FULLTEXT", "SPATIAL", "EXCLUDE"})
    name = item.name() or name if item.key != "USING" else name
    if item.takes("USING"):
        item.at += 1
    return Key("unique" if unique else "index", read_columns(item), name)
