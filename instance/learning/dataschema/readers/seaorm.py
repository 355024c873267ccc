"""Entities of SeaORM."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import Change, Created, Field, Key
from instance.learning.dataschema.readers.phrases import inside, labelled, snake_case, unquoted
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.types import PUBLIC, public_type

_TYPES = {**PUBLIC, "datetime": "timestamp", "u8": "integer", "uuid": "uuid"}
_PUBLIC_WORDS = frozenset({"pub", "crate", "(", ")"})


def read_seaorm(source: Source) -> Iterator[Change]:
    """Yield the entity of a file; the module's name is the model's, as relations write it."""
    if not {"sea_orm", "table_name"} <= source.words:
        return
    said: dict[str, list[str]] = {}
    keys: list[Key] = []
    created: Created | None = None
    for statement in source.outline.children():
        texts = source.outline.texts(statement)
        if texts[:2] == ["#", "["]:
            said |= _said(texts)
            continue
        if "struct" in texts[:4] and "table_name" in said:
            created = _entity(source, statement, said)
        elif "enum" in texts[:4]:
            keys.extend(_relations(texts))
        said = {}
    if created is not None and created.table and created.fields:
        yield Created(created.table, created.fields, created.keys + tuple(keys), "seaorm", source.stem)


def _said(texts: list[str]) -> dict[str, list[str]]:
    """Return what `#[sea_orm(label = value, flag)]` says; nothing for other attributes."""
    if texts[2:3] != ["sea_orm"]:
        return {}
    plain, named = labelled(inside(texts[3:]))
    return named | {part[0]: [] for part in plain}


def _entity(source: Source, statement: int, said: dict[str, list[str]]) -> Created:
    fields: list[Field] = []
    primary: list[str] = []
    keys: list[Key] = []
    own: dict[str, list[str]] = {}
    for child in source.outline.children(statement):
        texts = source.outline.texts(child)
        if texts[:2] == ["#", "["]:
            own |= _said(texts)
            continue
        field = _field(texts, own)
        if field is not None:
            fields.append(field)
            primary.extend([field.name] if "primary_key" in own else [])
            keys.extend([Key("unique", (field.name,))] if "unique" in own else [])
            keys.extend([Key("index", (field.name,))] if "indexed" in own else [])
        own = {}
    if primary:
        keys.append(Key("primary", tuple(primary)))
    return Created(unquoted("".join(said["table_name"])), tuple(fields), tuple(keys), "seaorm", source.stem)


def _field(texts: list[str], own: dict[str, list[str]]) -> Field | None:
    """Return the column of `pub name: Type`; None for a relation."""
    if ":" not in texts or "ignore" in own:
        return None
    at = texts.index(":")
    name = own["column_name"][0] if own.get("column_name") else texts[at - 1]
    kind = texts[at + 1 :]
    if not kind or kind[0] in ("HasOne", "HasMany", "BelongsTo"):
        return None
    nullable = kind[0] == "Option"
    words = [text for text in kind if text[0].isalpha() and text != "Option"]
    if words[:2] == ["Vec", "u8"]:
        return Field(unquoted(name), "bytes", nullable)
    word = words[0] if words[:1] == ["Vec"] else words[-1] if words else ""
    given = own.get("column_type", [])
    public = public_type(unquoted(given[0]).partition("(")[0], _TYPES) if given else "other"
    public = public if public != "other" else public_type(word, _TYPES)
    return Field(unquoted(name), public, nullable, of=word if public == "other" else "")


def _relations(texts: list[str]) -> Iterator[Key]:
    """Yield the keys of `#[sea_orm(belongs_to = "super::cake::Entity", from = "Column::CakeId", to = "...")]`."""
    for at, text in enumerate(texts):
        if text != "sea_orm":
            continue
        said = {label: unquoted(value[0]) for label, value in labelled(inside(texts[at + 1 :]))[1].items()}
        parts = said.get("belongs_to", "").split("::")
        if len(parts) > 1 and "from" in said:
            target = said.get("to", "").rpartition("::")[2]
            columns = (snake_case(said["from"].rpartition("::")[2].strip("() ")),)
            yield Key("foreign", columns, "", parts[-2], (snake_case(target),) if target else ())
