"""Diesel's `table!`, which is generated from the database and so says what is there."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import Change, Created, Field, Key, KeyAdded
from instance.learning.dataschema.readers.phrases import closing, inside, split, unquoted
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.types import public_type

_WRAPPERS = frozenset({"Nullable", "Unsigned", "<", ">"})


def read_diesel(source: Source) -> Iterator[Change]:
    """Yield every `table!` and `joinable!` of a file."""
    if not source.words & {"table", "joinable"} or "!" not in source.words:
        return
    for statement in source.outline.below():
        texts = source.outline.texts(statement)
        if "!" not in texts[:4]:
            continue
        at = texts.index("!")
        if texts[at - 1] == "table":
            yield from _table(inside(texts[at + 1 :]))
        elif texts[at - 1] == "joinable":
            yield from _joinable(inside(texts[at + 1 :]))


def _table(texts: list[str]) -> Iterator[Change]:
    """Yield the table of `name (key) { column -> Type, .. }`, with attributes anywhere."""
    renamed, rest = _attribute(texts)
    if "{" not in rest:
        return
    at = rest.index("{")
    head = [text for text in rest[:at] if text != "use"]
    opened = head.index("(") if "(" in head else len(head)
    name = renamed or (head[opened - 1] if opened else "")
    primary = tuple(text for text in inside(head[opened:]) if text != ",") or ("id",)
    fields: list[Field] = []
    names: dict[str, str] = {}
    for part in split(inside(rest[at:])):
        written, (field, *kind) = _column(part)
        if kind:
            names[field] = written or field
            fields.append(_field(written or field, kind))
    if name and fields:
        keys = (Key("primary", tuple(names.get(column, column) for column in primary)),)
        yield Created(name, tuple(fields), keys, "diesel", name)


def _column(part: list[str]) -> tuple[str, list[str]]:
    renamed, rest = _attribute(part)
    return renamed, [rest[0], *rest[2:]] if rest[1:2] == ["->"] else [""]


def _attribute(texts: list[str]) -> tuple[str, list[str]]:
    """Return the name that `#[sql_name = "type"]` gives, if it does, and what follows all attributes."""
    name = ""
    while texts[:2] == ["#", "["]:
        end = closing(texts, 1)
        if texts[2:4] == ["sql_name", "="] and end > 4:  # noqa: PLR2004 - the name follows the mark
            name = unquoted(texts[4])
        texts = texts[end + 1 :]
    return name, texts


def _field(name: str, kind: list[str]) -> Field:
    words = [text for text in kind if text not in _WRAPPERS]
    public = public_type(words[-1]) if words else "other"
    if "Array" in kind:
        public = "array"
    return Field(name, public, "Nullable" in kind[:1], of=words[-1] if words and public == "other" else "")


def _joinable(texts: list[str]) -> Iterator[Change]:
    """Yield the foreign key of `posts -> users (user_id)`."""
    if texts[1:2] == ["->"] and len(texts) > 5 and texts[3] == "(":  # noqa: PLR2004 - two tables and a column
        yield KeyAdded(texts[0], Key("foreign", (texts[4],), "", texts[2]))
