"""From the changes of every file to the tables of the repository."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import msgspec

from instance.learning.dataschema.changes import Change, Created, Field, Key, TypeNamed
from instance.learning.dataschema.models import Models, complete, forget_embedded
from instance.learning.dataschema.order import history_of, in_order, nearness
from instance.learning.dataschema.replay import Draft, History
from instance.learning.dataschema.values import Column, ForeignKey, Table

_MIGRATIONS: Final = {"alembic": 1, "ecto-migration": 1, "sql": 2}
"""Sources whose files are replayed in order, by rank: models come before them."""
_MODEL_AND_MIGRATION_SHARE: Final = 0.5
"""Of the columns of the smaller one, for a model and a migration of one name to be the same table."""
_ALIKE_SHARE: Final = 0.8
"""Of all columns of both, for two models, or two migrations, of one name: else they are of two databases."""
_MAX_REFERENCES: Final = 8
"""Foreign keys to follow from one key to the type at its end."""


def combine(per_file: Mapping[str, list[Change]]) -> list[Table]:
    """Return the tables that all files together declare, by name.

    Migrations are replayed in order, one history per folder. What models and migrations say of one table is one table:
    the model's names and types, the keys and indexes of both. The order of the mapping does not matter.
    """
    histories = _histories(per_file)
    drafts = [draft for history in histories for draft in history.tables.values()]
    forget_embedded(drafts)
    models = Models(drafts, (part for history in histories for part in history.parts))
    drafts = [draft for draft in drafts if draft.name]
    for draft in drafts:
        complete(draft, models)
    merged = _merged([draft for draft in drafts if draft.fields])
    by_name = {_bare(draft.name): draft for draft in reversed(merged)}
    for history in histories:
        for change in history.elsewhere:
            if draft_elsewhere := by_name.get(_bare(change.table)):
                draft_elsewhere.add_key(change.key)
    types = {name: named for history in histories for name, named in history.types.items()}
    finish = _Finish(types, models, by_name)
    return sorted((finish.table(draft) for draft in merged), key=lambda table: (table.name, table.path, table.columns))


def _histories(per_file: Mapping[str, list[Change]]) -> list[History]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path, changes in per_file.items():
        declares = any(isinstance(change, Created) and change.source not in _MIGRATIONS for change in changes)
        groups[path if declares else history_of(path)].append(path)
    histories = []
    for group in sorted(groups):
        history = History()
        for path in in_order(per_file, groups[group]):
            for change in per_file[path]:
                history.apply(change, path)
        histories.append(history)
    return histories


def _bare(name: str) -> str:
    """Return a name as two declarations of one thing have it in common."""
    return name.lower().replace("_", "")


def _merged(drafts: list[Draft]) -> list[Draft]:
    """Return one draft per table: those of one name with enough columns in common become one."""
    merged: defaultdict[str, list[Draft]] = defaultdict(list)
    for draft in sorted(drafts, key=lambda each: (_MIGRATIONS.get(each.created.source, 0), each.path, each.name)):
        same = merged[_bare(draft.name.rpartition(".")[2])]
        known = max(same, key=lambda each: _likeness(each, draft), default=None)
        if known is None or not _likeness(known, draft)[0]:
            same.append(draft)
        else:
            _absorb(known, draft)
    return [draft for same in merged.values() for draft in same]


def _likeness(one: Draft, other: Draft) -> tuple[bool, float, int]:
    """Tell whether two drafts of one name are the same table, how alike they are, and how close they lie."""
    ours, theirs = ({_bare(name) for name in draft.fields} for draft in (one, other))
    common = len(ours & theirs)
    share = common / max(1, len(ours | theirs))
    lenient = (one.created.source in _MIGRATIONS) != (other.created.source in _MIGRATIONS)
    enough = _MODEL_AND_MIGRATION_SHARE * min(len(ours), len(theirs))
    same = common >= enough if lenient else share >= _ALIKE_SHARE
    return same, share, nearness(one.path, other.path)


def _absorb(known: Draft, other: Draft) -> None:
    """Add what another declaration of the same table says: its word on what the first left open, its keys."""
    names = {_bare(name): name for name in known.fields}
    for field in other.fields.values():
        name = names.get(_bare(field.name))
        if name is None:
            known.add_field(field)
        else:
            known.fields[name] = _both(known.fields[name], field)
    primary = any(key.kind == "primary" for key in known.keys)
    for key in other.keys:
        if not (primary and key.kind == "primary"):
            known.add_key(key)


def _both(ours: Field, theirs: Field) -> Field:
    undecided = ours.type == "other" and not ours.of
    return Field(
        ours.name,
        theirs.type if undecided else ours.type,
        ours.nullable and theirs.nullable,
        ours.enum or theirs.enum,
        theirs.of if undecided else ours.of,
    )


class _Finish:
    """What turns drafts into tables: every type, model and table of the repository by name."""

    def __init__(self, types: Mapping[str, TypeNamed], models: Models, tables: Mapping[str, Draft]) -> None:
        self.types = types
        self.models = models
        self.tables = tables

    def table(self, draft: Draft) -> Table:
        """Return a draft as a table: references resolved, keys over columns that exist, each once and sorted."""
        names = {_bare(field.name): field.name for field in draft.fields.values()}
        keys = [known for key in draft.keys if (known := _known(key, names))]
        primary = next((key.columns for key in keys if key.kind == "primary"), ())
        uniques = {key.columns for key in keys if key.kind == "unique"} - {primary}
        indexes = {key.columns for key in keys if key.kind == "index"} - {primary} - uniques
        return Table(
            draft.name,
            tuple(self._column(draft, field, primary) for field in draft.fields.values()),
            primary,
            tuple(sorted({self._foreign(draft, key) for key in keys if key.kind == "foreign"})),
            tuple(sorted(uniques)),
            tuple(sorted(indexes)),
            draft.created.source,
            draft.path,
        )

    def _column(self, draft: Draft, field: Field, primary: tuple[str, ...]) -> Column:
        kind, enum = self._type(draft, field)
        is_primary = field.name in primary
        return Column(field.name, kind, field.nullable and not is_primary, is_primary, field.enum or enum)

    def _type(self, draft: Draft, field: Field) -> tuple[str, str]:
        """Return the type and the enumeration of a column, following what it refers to."""
        for _ in range(_MAX_REFERENCES):
            if not field.of:
                break
            named = self.types.get(field.of.lower())
            if named is not None:
                return named.type, named.enum
            target = self._target(field.of, draft.path)
            keys = [key.columns for key in target.keys if key.kind == "primary"] if target else []
            found = target.fields.get(keys[0][0].lower()) if target and keys and keys[0] else None
            if found is None:
                break
            field = found
        return field.type, ""

    def _target(self, name: str, path: str) -> Draft | None:
        return self.models.table(name, path) or self.tables.get(_bare(name))

    def _foreign(self, draft: Draft, key: Key) -> ForeignKey:
        target = self._target(key.table, draft.path)
        if target is None:
            return ForeignKey(key.columns, key.table, key.targets)
        names = {_bare(field.name): field.name for field in target.fields.values()}
        primary = next((each.columns for each in target.keys if each.kind == "primary"), ())
        targets = key.targets or (primary if len(primary) == len(key.columns) else ())
        return ForeignKey(key.columns, target.name, tuple(names.get(_bare(name), name) for name in targets))


def _known(key: Key, names: Mapping[str, str]) -> Key | None:
    """Return a key with its columns as the table writes them; None when a column is not there."""
    columns = tuple(names.get(_bare(column), "") for column in key.columns)
    return msgspec.structs.replace(key, columns=columns) if columns and all(columns) else None
