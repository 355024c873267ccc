"""Prisma schema files, read line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from instance.learning.dataschema.changes import MAX_FIELDS, Change, Created, Field, Key, LeftOut, TypeNamed, bounded
from instance.learning.dataschema.types import public_type

MAX_PRISMA_CHARACTERS: Final = 1 << 20
MAX_LINE_CHARACTERS: Final = 2_000
_BLOCK = re.compile(r"^(model|enum|view|type)\s+(\w+)\s*\{$")
_FIELD = re.compile(r"^(\w+)\s+(\w+)(\[\])?(\?)?(?:\s+(.*))?$")
_MAP = re.compile(r"@map\(\s*(?:name:\s*)?\"([^\"]*)\"")
_NATIVE = re.compile(r"@db\.(\w+)")
_TABLE_KEY = re.compile(r"^@@(id|unique|index)\(\s*(?:fields:\s*)?\[([^\]]*)\]")
_RELATION = re.compile(r"@relation\(([^\n]*)")
_LIST = {name: re.compile(rf"\b{name}:\s*\[([^\]]*)\]") for name in ("fields", "references")}
_NAME = re.compile(r"\b([A-Za-z_]\w*)(?:\([^)]*\))?")
_KINDS = {"id": "primary", "unique": "unique", "index": "index"}


def read_prisma(text: str) -> list[Change]:
    """Return the models and enumerations of a Prisma schema."""
    if len(text) > MAX_PRISMA_CHARACTERS:
        return [LeftOut("too_large")]
    blocks = list(_blocks(text))
    models = {name for kind, name, _ in blocks if kind in ("model", "view")}
    found: list[Change] = [TypeNamed(name) for kind, name, _ in blocks if kind == "enum"]
    for kind, name, body in blocks:
        if kind == "model":
            found.extend(_Model(name, models).read(body))
    return bounded(found)


def _blocks(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the kind, the name and the lines of every block."""
    body: list[str] = []
    for line in (line.strip()[:MAX_LINE_CHARACTERS] for line in text.splitlines()):
        if match := _BLOCK.match(line):
            body = []
            yield match[1], match[2], body
        elif not line.startswith("//"):
            body.append(line)


class _Model:
    """One model on its way through its lines; `columns` are the names its fields have in the database."""

    def __init__(self, name: str, models: set[str]) -> None:
        self.name = name
        self.models = models
        self.table = name
        self.fields: list[Field] = []
        self.keys: list[Key] = []
        self.columns: dict[str, str] = {}

    def read(self, lines: list[str]) -> Iterator[Change]:
        """Yield the table, if it has columns."""
        for line in lines:
            if line.startswith("@@"):
                self._block_attribute(line)
            elif match := _FIELD.match(line):
                self._field(match)
        keys = tuple(self._mapped(key) for key in self.keys)
        if self.fields:
            yield Created(self.table, tuple(self.fields[:MAX_FIELDS]), keys[:MAX_FIELDS], "prisma", self.name)

    def _block_attribute(self, line: str) -> None:
        if match := _MAP.match(line[1:]):
            self.table = match[1]
        elif match := _TABLE_KEY.match(line):
            self._key(_KINDS[match[1]], tuple(_NAME.findall(match[2])))

    def _field(self, match: re.Match[str]) -> None:
        name, kind, array, optional, said = match.groups()
        said = said or ""
        if kind in self.models:
            self._relation(kind, said)
            return
        mapped = _MAP.search(said)
        column = self.columns[name] = mapped[1] if mapped else name
        native = _NATIVE.search(said)
        public = public_type(native[1]) if native else "other"
        public = "array" if array else public if public != "other" else public_type(kind)
        self.fields.append(Field(column, public, bool(optional), of=kind if public == "other" else ""))
        if re.search(r"@id\b", said):
            self._key("primary", (name,))
        elif re.search(r"@unique\b", said):
            self._key("unique", (name,))

    def _relation(self, model: str, said: str) -> None:
        relation = _RELATION.search(said)
        parts = {name: match[1] for name, each in _LIST.items() if relation and (match := each.search(relation[1]))}
        if "fields" in parts:
            columns, targets = _NAME.findall(parts["fields"]), _NAME.findall(parts.get("references", ""))
            self.keys.append(Key("foreign", tuple(columns), "", model, tuple(targets)))

    def _key(self, kind: str, names: tuple[str, ...]) -> None:
        chosen = Key("primary", names) if kind == "primary" else Key("unique" if kind == "unique" else "index", names)
        self.keys.append(chosen)

    def _mapped(self, key: Key) -> Key:
        """Return a key with the names its columns have in the database."""
        columns = tuple(self.columns.get(name, name) for name in key.columns)
        return Key(key.kind, columns, key.name, key.table, key.targets)
