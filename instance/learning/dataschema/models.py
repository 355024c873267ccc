"""What models leave to their library: inherited columns, an implicit `id`, fields that are relations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from instance.learning.dataschema.changes import Field, Key
from instance.learning.dataschema.order import nearness
from instance.learning.dataschema.replay import Draft

MAX_BASES: Final = 64
"""Classes a model may take columns from, directly or not."""


class Models:
    """Every class of the repository that declares columns, by its name."""

    def __init__(self, drafts: Iterable[Draft], parts: Iterable[Draft]) -> None:
        self._by_name: defaultdict[str, list[Draft]] = defaultdict(list)
        for draft in (*drafts, *parts):
            if draft.created.model:
                self._by_name[draft.created.model.lower()].append(draft)

    def get(self, name: str, path: str) -> Draft | None:
        """Return the model of a name: of several the one that lies nearest to that file."""
        found = self._by_name.get(name.lower(), ())
        return max(found, key=lambda draft: nearness(draft.path, path), default=None)

    def table(self, name: str, path: str) -> Draft | None:
        """Return the model of a name that has a table."""
        found = self.get(name, path)
        return found if found and found.name else None


def forget_embedded(drafts: Iterable[Draft]) -> None:
    """Take the table from every struct that another one embeds: for GORM, only its columns are meant."""
    structs = [draft for draft in drafts if draft.created.source == "gorm"]
    embedded = {base.lower() for draft in structs for base in draft.created.bases}
    for draft in structs:
        if draft.created.model.lower() in embedded:
            draft.name = ""


def complete(draft: Draft, models: Models) -> None:
    """Give a model the columns it inherits, the ones its library adds, and take away those that are none."""
    for base in _inherited(draft, models):
        for field in base.fields.values():
            draft.add_field(field)
        has_primary = any(key.kind == "primary" for key in draft.keys)
        for key in base.keys:
            if key.kind != "primary" or not has_primary:
                draft.add_key(key)
    if draft.created.implicit_id:
        _add_implicit(draft, models)
    if draft.created.source == "gorm":
        _relate(draft, models)


def _inherited(draft: Draft, models: Models) -> list[Draft]:
    """Return the parts a model inherits, nearest first, each once."""
    found: list[Draft] = []
    waiting = list(draft.created.bases)[::-1]
    while waiting and len(found) < MAX_BASES:
        part = models.get(waiting.pop(), draft.path)
        if part is not None and not part.name and part not in found and part is not draft:
            found.append(part)
            waiting.extend(part.created.bases[::-1])
    return found


def _add_implicit(draft: Draft, models: Models) -> None:
    if any(key.kind == "primary" for key in draft.keys):
        return
    parents = (models.table(base, draft.path) for base in draft.created.bases)
    parent = next((found for found in parents if found and found is not draft), None)
    if parent is None:
        draft.add_field(Field("id", draft.created.implicit_id, nullable=False))
        draft.add_key(Key("primary", ("id",)))
        return
    model = parent.created.model
    name = f"{model.lower()}_ptr_id"  # Django's multi-table inheritance
    draft.add_field(Field(name, nullable=False, of=model))
    draft.add_key(Key("primary", (name,)))
    draft.add_key(Key("foreign", (name,), "", model))


def _relate(draft: Draft, models: Models) -> None:
    """Turn the fields whose type is a model into the foreign key they stand for."""
    for name, field in list(draft.fields.items()):
        if not field.of or models.get(field.of, draft.path) is None:
            continue
        draft.remove_field(name)
        column = draft.fields.get(f"{name}_id")
        if column is not None:
            draft.add_key(Key("foreign", (column.name,), "", field.of))
