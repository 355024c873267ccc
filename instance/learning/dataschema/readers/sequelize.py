"""Models of Sequelize."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import Change, Created, Field, Key
from instance.learning.dataschema.readers.phrases import Call, calls_of, inside, labelled, split, texts_in, unquoted
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.types import PUBLIC, public_type

_TYPES = {**PUBLIC, "date": "timestamp"}
_SEQUELIZE = frozenset({"define", "init"})


def read_sequelize(source: Source) -> Iterator[Change]:
    """Yield the models that `sequelize.define("name", {...})` and `Name.init({...}, {...})` declare."""
    if not source.words & {"DataTypes", "DataType", "Sequelize"}:
        return
    for statement in source.outline.below():
        texts = source.outline.head(statement)
        for found in calls_of(texts, _SEQUELIZE):
            yield from _model(found, texts)


def _model(found: Call, texts: list[str]) -> Iterator[Change]:
    objects = [labelled(inside(part))[1] for part in found.arguments if part[0] == "{"]
    named = texts_in(found.first[:1])
    said = objects[1] if objects[1:] else {}
    name = (named or texts_in(said.get("modelName", [])) or (texts[0],))[0]
    table = texts_in(said.get("tableName", [])) or (f"{name}s",)
    pairs = [
        _attribute(label, value) for label, value in (objects[0] if objects else {}).items() if "DataTypes" in value
    ]
    if not pairs:
        return
    fields = [field for field, _ in pairs]
    if said.get("timestamps") != ["false"]:
        under = said.get("underscored") == ["true"]
        stamps = ("created_at", "updated_at") if under else ("createdAt", "updatedAt")
        known = {field.name for field in fields}
        fields += [Field(stamp, "timestamp", nullable=False) for stamp in stamps if stamp not in known]
    keys = (*(key for _, own in pairs for key in own), *_indexes(said.get("indexes", [])))
    yield Created(table[0], tuple(fields), keys, "sequelize", name, implicit_id="integer")


def _indexes(listed: list[str]) -> Iterator[Key]:
    """Yield the keys of `[{ fields: ["a", "b"], unique: true }]`."""
    for part in split(inside(listed)):
        said = labelled(inside(part))[1]
        if columns := texts_in(said.get("fields", [])):
            yield Key("unique" if said.get("unique") == ["true"] else "index", columns)


def _attribute(label: str, value: list[str]) -> tuple[Field, list[Key]]:
    said = labelled(inside(value))[1]
    kind = said.get("type", value)
    word = next((text for text in kind[kind.index("DataTypes") + 1 :] if text.isidentifier()), "")
    name = (texts_in(said.get("field", [])) or (label,))[0]
    enum = "type" if word == "ENUM" else ""
    field = Field(name, "text" if enum else public_type(word, _TYPES), said.get("allowNull") != ["false"], enum)
    keys = [Key("primary", (name,))] if said.get("primaryKey") == ["true"] else []
    if said.get("unique") == ["true"]:
        keys.append(Key("unique", (name,)))
    target = labelled(inside(said.get("references", [])))[1]
    if model := target.get("model") or target.get("table"):
        keys.append(Key("foreign", (name,), "", unquoted(model[0]), texts_in(target.get("key", []))))
    return field, keys
