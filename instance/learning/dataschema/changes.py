"""What one file does to the schema: plain values that are stored per file and replayed together."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

MAX_CHANGES: Final = 20_000
"""Of one file."""
MAX_FIELDS: Final = 1_600
"""Of one table."""

KeyKind = Literal["primary", "unique", "index", "foreign"]


class Field(msgspec.Struct, frozen=True, array_like=True):
    """A column as declared. `of` names what only the whole repository knows: an enum type, or a model it refers to."""

    name: str
    type: str = "other"
    nullable: bool = True
    enum: str = ""
    of: str = ""


class Key(msgspec.Struct, frozen=True, array_like=True):
    """A key or an index; `table` and `targets` are what a foreign key points at: a table or a model."""

    kind: KeyKind
    columns: tuple[str, ...]
    name: str = ""
    table: str = ""
    targets: tuple[str, ...] = ()


class _Change(msgspec.Struct, frozen=True, array_like=True, tag_field="change", tag=True):
    """One step; array-like, so that a stored file is small."""


class Created(_Change, frozen=True):
    """A table exists from here on; or, without a `table`, a part that models inherit.

    `model` is the class or variable that declares it, `bases` are the parts it takes columns from, `implicit_id` is the
    type of the `id` its library adds when no primary key is declared ("": none).
    """

    table: str
    fields: tuple[Field, ...]
    keys: tuple[Key, ...] = ()
    source: str = "sql"
    model: str = ""
    bases: tuple[str, ...] = ()
    implicit_id: str = ""
    if_absent: bool = False


class Dropped(_Change, frozen=True):
    """A table is gone."""

    table: str


class Renamed(_Change, frozen=True):
    """A table, or one of its columns, has another name."""

    table: str
    to: str
    column: str = ""


class FieldAdded(_Change, frozen=True):
    """A table has one more column."""

    table: str
    field: Field


class FieldRemoved(_Change, frozen=True):
    """A column is gone, and every key it was part of."""

    table: str
    column: str


class FieldAltered(_Change, frozen=True):
    """A column's type, nullability or limits are others; None leaves them as they were."""

    table: str
    column: str
    type: str | None = None
    nullable: bool | None = None
    enum: str | None = None
    of: str = ""


class KeyAdded(_Change, frozen=True):
    """A table has one more key or index."""

    table: str
    key: Key


class KeyRemoved(_Change, frozen=True):
    """A key is gone: by its name (the table may be unknown), by its kind, or by its columns."""

    table: str = ""
    name: str = ""
    kind: str = ""
    columns: tuple[str, ...] = ()


class TypeNamed(_Change, frozen=True):
    """A type of the repository's own: an enumeration, or another name for a public type."""

    name: str
    type: str = "text"
    enum: str = "type"


class Revision(_Change, frozen=True):
    """The file is a migration with a name, to be applied after others."""

    name: str
    after: tuple[str, ...] = ()


class LeftOut(_Change, frozen=True):
    """Something of the file that was not read, by reason."""

    reason: str
    count: int = 1


Change = (
    Created
    | Dropped
    | Renamed
    | FieldAdded
    | FieldRemoved
    | FieldAltered
    | KeyAdded
    | KeyRemoved
    | TypeNamed
    | Revision
    | LeftOut
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Change])


def pack(changes: list[Change]) -> bytes:
    """Return the changes of one file as bytes, to be stored."""
    return _encoder.encode(changes)


def unpack(packed: bytes) -> list[Change]:
    """Return the changes of one file; msgspec.ValidationError when the bytes are from another version."""
    return _decoder.decode(packed)


def bounded(changes: list[Change]) -> list[Change]:
    """Return at most MAX_CHANGES changes; what is beyond is counted."""
    if len(changes) <= MAX_CHANGES:
        return changes
    return [*changes[:MAX_CHANGES], LeftOut("too_many_changes", len(changes) - MAX_CHANGES)]
