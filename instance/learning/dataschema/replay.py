"""A schema while it is changed: migrations replayed one change after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final

import msgspec

from instance.learning.dataschema.changes import (
    MAX_FIELDS,
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
    TypeNamed,
)

MAX_KEYS: Final = 1_000
"""Of one table."""
_ENDINGS: Final = {"unique": "key", "index": "idx", "foreign": "fkey"}
_MAX_WORDS: Final = 32
_replace = msgspec.structs.replace


class Draft:
    """One table on its way; names are looked up as databases do, without regard to case."""

    def __init__(self, created: Created, path: str) -> None:
        self.created = created
        self.name = created.table
        self.path = path
        self.fields = {field.name.lower(): field for field in created.fields}
        self.keys = list(created.keys)

    def add_key(self, key: Key) -> None:
        """Add a key; a new primary key takes the place of the old one."""
        if key.kind == "primary":
            self.keys = [each for each in self.keys if each.kind != "primary"]
        if len(self.keys) < MAX_KEYS:
            self.keys.append(key)

    def add_field(self, field: Field) -> None:
        """Add a column, unless it is there."""
        if len(self.fields) < MAX_FIELDS:
            self.fields.setdefault(field.name.lower(), field)

    def remove_field(self, name: str) -> None:
        """Remove a column and what stands on it."""
        name = name.lower()
        self.fields.pop(name, None)
        self.keys = [key for key in self.keys if name not in (column.lower() for column in key.columns)]

    def rename_field(self, name: str, to: str) -> None:
        """Give a column another name, in its place."""
        name = name.lower()
        self.fields = {
            (to.lower() if old == name else old): (_replace(field, name=to) if old == name else field)
            for old, field in self.fields.items()
        }
        self.keys = [_replace(key, columns=_renamed(key.columns, name, to)) for key in self.keys]

    def name_keys(self) -> list[Key]:
        """Give every key without a name the one PostgreSQL gave it, which renaming leaves as it was; return these."""
        named = [_replace(key, name=next(self._given_names(key))) for key in self.keys if not key.name]
        self.keys = [key for key in self.keys if key.name] + named
        return named

    def remove_key(self, gone: KeyRemoved) -> None:
        """Remove the keys meant, by a name they have or were given by the database."""
        self.keys = [key for key in self.keys if not self._is_meant(key, gone)]

    def _is_meant(self, key: Key, gone: KeyRemoved) -> bool:
        if gone.kind or not gone.name:
            columns = bool(gone.columns) and gone.columns == key.columns and key.kind in ("index", "unique")
            return columns or (bool(gone.kind) and gone.kind == key.kind)
        name = gone.name.lower()
        return name == key.name.lower() if key.name else name in self._given_names(key)

    def _given_names(self, key: Key) -> Iterator[str]:
        """Yield the names databases and libraries give to a key without one."""
        table, columns = self.name.lower(), "_".join(key.columns).lower()
        if key.kind == "primary":
            yield from (f"{table}_pkey", f"pk_{table}", "primary")
            return
        yield f"{table}_{columns}_{_ENDINGS[key.kind]}"
        yield from (f"{table}_{columns}_{end}" for end in ("key", "idx", "index", "unique"))
        yield from (f"{start}_{table}_{columns}" for start in ("ix", "uq", "fk", "idx"))
        if key.columns:
            yield key.columns[0].lower()


def _renamed(names: tuple[str, ...], name: str, to: str) -> tuple[str, ...]:
    return tuple(to if each.lower() == name else each for each in names)


class History:
    """The tables of one history of migrations, or of one file of models, and what it says of tables elsewhere."""

    def __init__(self) -> None:
        self.tables: dict[str, Draft] = {}
        self.parts: list[Draft] = []
        self.types: dict[str, TypeNamed] = {}
        self.owners: dict[str, Draft] = {}  # by the name of a key
        self.pointing: dict[str, dict[int, Draft]] = {}  # by the name of the table pointed at
        self.elsewhere: list[KeyAdded] = []

    def apply(self, change: Change, path: str) -> None:
        """Change the schema by one step; a step about what is not there does nothing."""
        if isinstance(change, Created):
            self._create(change, path)
        else:
            step = _STEPS.get(type(change))
            if step is not None:
                step(self, change)

    def _create(self, change: Created, path: str) -> None:
        if not change.table:
            self.parts.append(Draft(change, path))
        elif not (change.if_absent and change.table.lower() in self.tables):
            draft = self.tables[change.table.lower()] = Draft(change, path)
            for key in change.keys:
                self._note(draft, key)

    def _note(self, draft: Draft, key: Key) -> None:
        """Remember where a key lies, so that finding it again asks no other table."""
        if key.name:
            self.owners[key.name.lower()] = draft
        if key.kind == "foreign":
            self.pointing.setdefault(key.table.lower(), {})[id(draft)] = draft

    def drop(self, change: Dropped) -> None:
        """Forget a table."""
        self.tables.pop(change.table.lower(), None)

    def rename(self, change: Renamed) -> None:
        """Give a table or a column another name, also where foreign keys point at it."""
        name = change.table.lower()
        draft = self.tables.get(name)
        if draft is None:
            return
        for key in draft.name_keys():
            self._note(draft, key)
        if change.column:
            draft.rename_field(change.column, change.to)
        else:
            draft.name = change.to
            self.tables[change.to.lower()] = self.tables.pop(name)
        pointing = self.pointing.get(name, {})
        for other in pointing.values():
            other.keys = [_following(key, name, change) for key in other.keys]
        if not change.column:
            self.pointing[change.to.lower()] = self.pointing.pop(name, {})

    def add_field(self, change: FieldAdded) -> None:
        """Add a column."""
        if draft := self.tables.get(change.table.lower()):
            draft.add_field(change.field)

    def remove_field(self, change: FieldRemoved) -> None:
        """Remove a column."""
        if draft := self.tables.get(change.table.lower()):
            draft.remove_field(change.column)

    def alter_field(self, change: FieldAltered) -> None:
        """Change a column in its place."""
        draft = self.tables.get(change.table.lower())
        field = draft.fields.get(change.column.lower()) if draft else None
        if draft is None or field is None:
            return
        if change.type is not None:
            field = _replace(field, type=change.type, of=change.of)
        if change.nullable is not None:
            field = _replace(field, nullable=change.nullable)
        if change.enum is not None:
            field = _replace(field, enum=change.enum)
        draft.fields[change.column.lower()] = field

    def add_key(self, change: KeyAdded) -> None:
        """Add a key; one of a table that is not here is kept for the table elsewhere."""
        if draft := self.tables.get(change.table.lower()):
            draft.add_key(change.key)
            self._note(draft, change.key)
        else:
            self.elsewhere.append(change)

    def remove_key(self, change: KeyRemoved) -> None:
        """Remove a key."""
        draft = self.tables.get(change.table.lower()) if change.table else self._owner(change.name.lower())
        if draft is not None:
            draft.remove_key(change)

    def _owner(self, name: str) -> Draft | None:
        """Return the table a key belongs to that is called by its name alone, like `users_email_idx`."""
        if name in self.owners:
            return self.owners[name]
        words = name.split("_", _MAX_WORDS)
        spans = ("_".join(words[start:end]) for start in (0, 1) for end in range(start + 1, len(words)))
        return next((self.tables[span] for span in spans if span in self.tables), None)

    def name_type(self, change: TypeNamed) -> None:
        """Remember a type of the repository."""
        self.types[change.name.lower()] = change


def _following(key: Key, table: str, change: Renamed) -> Key:
    """Return a foreign key that still points at what was renamed."""
    if key.kind != "foreign" or key.table.lower() != table:
        return key
    if change.column:
        return _replace(key, targets=_renamed(key.targets, change.column.lower(), change.to))
    return _replace(key, table=change.to)


_STEPS: MappingProxyType[type, Callable[[History, Any], None]] = MappingProxyType(
    {
        Dropped: History.drop,
        Renamed: History.rename,
        FieldAdded: History.add_field,
        FieldRemoved: History.remove_field,
        FieldAltered: History.alter_field,
        KeyAdded: History.add_key,
        KeyRemoved: History.remove_key,
        TypeNamed: History.name_type,
    }
)
