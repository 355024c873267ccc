"""Structs of GORM."""

from __future__ import annotations

import re
from collections.abc import Iterator

from instance.learning.dataschema.changes import Change, Created, Field, Key
from instance.learning.dataschema.readers.phrases import plural, snake_case, unquoted
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.types import PUBLIC, is_public_type, public_type

_TAG = re.compile(r'\bgorm:"((?:[^"\\]|\\.)*+)"')
_TYPES = {
    **PUBLIC,
    "int": "bigint",
    "uint": "bigint",
    "rawmessage": "json",
    "nullstring": "text",
    "nulltime": "timestamp",
}
_TYPES |= {
    "nullint64": "bigint",
    "nullbool": "boolean",
    "nullfloat64": "float",
    "time": "timestamp",
    "deletedat": "timestamp",
}
_MODEL = (
    Field("id", "bigint", nullable=False),
    Field("created_at", "timestamp"),
    Field("updated_at", "timestamp"),
    Field("deleted_at", "timestamp"),
)
_MODEL_KEYS = (Key("primary", ("id",)), Key("index", ("deleted_at",)))
_UNIQUE = ("unique", "uniqueindex")


def read_gorm(source: Source) -> Iterator[Change]:
    """Yield the structs whose fields carry GORM's tags or that embed its model."""
    if "gorm" not in source.words and not any(text[:1] == "`" and "gorm:" in text for text in source.words):
        return
    named = _table_names(source)
    for statement in source.outline.below():
        head = source.outline.head(statement)
        if "struct" in head[-2:] and head[:1] in (["type"], head[-3:-2]):
            name = head[head.index("struct") - 1]
            yield from _Struct(source, statement).read(name, named.get(name, plural(snake_case(name))))


def _table_names(source: Source) -> dict[str, str]:
    """Return the table every `func (Name) TableName() string { return "table" }` names."""
    found: dict[str, str] = {}
    if "TableName" not in source.words:
        return found
    for statement in source.outline.children():
        head, body = source.outline.head(statement), source.outline.children(statement)
        said = source.outline.texts(body[0]) if body else []
        if "TableName" in head and ")" in head and said[:1] == ["return"] and len(said) > 1:
            found[head[head.index(")") - 1]] = unquoted(said[1])
    return found


class _Struct:
    """One struct on its way through its fields."""

    def __init__(self, source: Source, statement: int) -> None:
        self.outline = source.outline
        self.statement = statement
        self.fields: list[Field] = []
        self.keys: list[Key] = []
        self.bases: list[str] = []
        self.primary: list[str] = []
        self.indexes: dict[str, list[str]] = {}
        self.uniques: dict[str, list[str]] = {}
        self.tagged = False

    def read(self, name: str, table: str) -> Iterator[Change]:
        """Yield the table, if GORM has a hand in it."""
        for child in self.outline.children(self.statement):
            self._member(self.outline.texts(child))
        if not self.tagged or not self.fields:
            return
        plain = not self.primary and not any(key.kind == "primary" for key in self.keys)
        if plain and any(field.name == "id" for field in self.fields):
            self.primary = ["id"]
        keys = [*self.keys, *([Key("primary", tuple(self.primary))] if self.primary else [])]
        keys += [Key("index", tuple(columns)) for columns in self.indexes.values()]
        keys += [Key("unique", tuple(columns)) for columns in self.uniques.values()]
        yield Created(table, tuple(self.fields), tuple(keys), "gorm", name, tuple(self.bases))

    def _member(self, texts: list[str]) -> None:
        tag = texts.pop() if texts and texts[-1][:1] == "`" else ""
        match = _TAG.search(tag)
        said = _settings(match[1]) if match else {}
        self.tagged = self.tagged or match is not None
        if texts == ["gorm", ".", "Model"]:
            self.tagged = True
            self.fields.extend(_MODEL)
            self.keys.extend(_MODEL_KEYS)
        elif len(texts) == 1 or (len(texts) == 3 and texts[1] == ".") or "embedded" in said:  # noqa: PLR2004 - `a.B`
            self.bases.append(texts[-1])
        elif "-" not in said:
            self._columns(texts, said)

    def _columns(self, texts: list[str], said: dict[str, str]) -> None:
        names, at = [texts[0]], 1
        while texts[at : at + 1] == [","] and at + 1 < len(texts):
            names.append(texts[at + 1])
            at += 2
        kind = texts[at:]
        for name in names:
            if name[:1].isupper() and kind:
                self._column(said.get("column") or snake_case(name), kind, said)

    def _column(self, name: str, kind: list[str], said: dict[str, str]) -> None:
        own = kind[-1]
        public = _public(kind, said)
        of = own if public == "other" and not is_public_type(own) else ""
        if public == "array" and "type" not in said and own[:1].isupper():
            return  # the far side of a relation
        primary = "primarykey" in said or "primary_key" in said
        self.fields.append(Field(name, public, not (primary or "not null" in said), of=of))
        if primary:
            self.primary.append(name)
        self._indexed(name, said)

    def _indexed(self, name: str, said: dict[str, str]) -> None:
        for word, group in (("index", self.indexes), ("uniqueindex", self.uniques)):
            if word in said:
                group.setdefault(said[word].partition(",")[0] or f" {name}", []).append(name)
        if "unique" in said:
            self.keys.append(Key("unique", (name,)))


def _settings(tag: str) -> dict[str, str]:
    """Return `column:name;not null` as a mapping of lower-case settings."""
    found: dict[str, str] = {}
    for part in tag.split(";"):
        label, _, value = part.strip().partition(":")
        found[label.strip().lower()] = value.strip()
    return found


def _public(kind: list[str], said: dict[str, str]) -> str:
    if given := re.match(r"[A-Za-z ]+", said.get("type", "")):
        return public_type(given[0]) if "[" not in said["type"] else "array"
    if kind[-3:] == ["[", "]", "byte"]:
        return "bytes"
    if kind[0] == "map":
        return "json"
    return "array" if kind[0] == "[" else public_type(kind[-1], _TYPES)
