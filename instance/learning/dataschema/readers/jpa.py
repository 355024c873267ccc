"""Entities of JPA, as Hibernate and Spring name what their annotations leave out."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import Change, Created, Field, Key
from instance.learning.dataschema.readers.decorated import Decorated, decorated
from instance.learning.dataschema.readers.phrases import NO_CALL, Call, calls_of, snake_case, texts_in, unquoted
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.types import PUBLIC, public_type

_TYPES = {**PUBLIC, "date": "timestamp", "calendar": "timestamp", "timestamp": "timestamp", "biginteger": "numeric"}
_PARTS = ("MappedSuperclass", "Embeddable")
_REFERENCES = ("ManyToOne", "OneToOne")
_NO_COLUMNS = ("Transient", "OneToMany", "ManyToMany", "ElementCollection")
_MODIFIERS = frozenset({"private", "protected", "public", "final", "volatile"})
_NOT_KEPT = frozenset({"static", "transient", "(", "class", "enum", "interface", "record"})
_INDEXES = frozenset({"Index", "UniqueConstraint"})


def read_jpa(source: Source) -> Iterator[Change]:
    """Yield the entities a file declares, and the superclasses they take columns from."""
    if not source.words & {"Entity", *_PARTS}:
        return
    for statement in source.outline.below():
        head = decorated(source.outline.head(statement))
        if head.has("Entity", *_PARTS) and "class" in head.texts[:-1]:
            yield from _entity(source, statement, head)


def _entity(source: Source, statement: int, head: Decorated) -> Iterator[Change]:
    name = head.texts[head.texts.index("class") + 1]
    extends = head.texts.index("extends") + 1 if "extends" in head.texts else len(head.texts)
    bases = list(head.texts[extends : extends + 1])
    fields: list[Field] = []
    keys: list[Key] = []
    primary: list[str] = []
    for child in source.outline.children(statement):
        member = decorated(source.outline.texts(child))
        if member.has("Embedded", "EmbeddedId"):
            bases.extend(_typed(member)[0][-1:])
        field = _field(member)
        if field is not None:
            fields.append(field)
            keys.extend(_keys(member, field))
            primary.extend([field.name] if member.has("Id") else [])
    if primary:
        keys.append(Key("primary", tuple(primary)))
    table = "" if head.has(*_PARTS) else _table(head, name)
    keys.extend(_table_keys(head))
    if fields or bases:
        yield Created(table, tuple(fields), tuple(keys), "jpa", name, tuple(bases))


def _table(head: Decorated, name: str) -> str:
    said = (head.one("Table") or NO_CALL).text("name") or (head.one("Entity") or NO_CALL).text("name")
    return said or snake_case(name)


def _typed(member: Decorated) -> tuple[list[str], str]:
    """Return the type and the name of a field; nothing for a method or a constant."""
    texts = [text for text in member.texts if text not in _MODIFIERS]
    end = next((at for at, text in enumerate(texts) if text in ("=", ";")), len(texts))
    declared = texts[:end]
    if len(declared) < 2 or _NOT_KEPT & set(declared):  # noqa: PLR2004 - a type and a name
        return [], ""
    return declared[:-1], declared[-1]


def _field(member: Decorated) -> Field | None:
    """Return the column of a field; None when it has none."""
    kind, name = _typed(member)
    if not name or member.has("Embedded", "EmbeddedId", *_NO_COLUMNS):
        return None
    reference = member.one(*_REFERENCES)
    if reference is not None:
        return _reference(member, reference, kind[-1], name)
    column = member.one("Column") or NO_CALL
    enum = "type" if member.has("Enumerated") else ""
    public = "text" if enum else _public(member, kind)
    primitive = kind[-1].islower() and "[" not in kind
    nullable = not (primitive or column.flag("nullable") is False or member.has("Id", "NotNull", "NotBlank"))
    of = kind[0] if public == "other" else ""
    return Field(column.text("name") or snake_case(name), public, nullable, enum, of)


def _reference(member: Decorated, reference: Call, model: str, name: str) -> Field | None:
    if "mappedBy" in reference.named:
        return None
    join = member.one("JoinColumn") or NO_CALL
    needed = join.flag("nullable") is False or reference.flag("optional") is False
    return Field(join.text("name") or f"{snake_case(name)}_id", nullable=not needed, of=model)


def _public(member: Decorated, kind: list[str]) -> str:
    if kind[1:3] == ["[", "]"] and kind[0] == "byte":
        return "bytes"
    dates = (member.one("Temporal") or NO_CALL).first
    if dates and dates[-1] == "DATE":
        return "date"
    return "array" if kind[1:2] == ["["] else public_type(kind[0] if "<" in kind else kind[-1], _TYPES)


def _keys(member: Decorated, field: Field) -> Iterator[Key]:
    columns = (field.name,)
    reference = member.one(*_REFERENCES)
    if reference is not None:
        yield Key("foreign", columns, "", field.of)
    said = member.one("Column", "JoinColumn") or NO_CALL
    if said.flag("unique") or (reference is not None and reference.path == "OneToOne" and not member.has("MapsId")):
        yield Key("unique", columns)


def _table_keys(head: Decorated) -> Iterator[Key]:
    """Yield the keys of `@Table(indexes = @Index(columnList = "a, b"), uniqueConstraints = ...)`."""
    table = head.one("Table")
    for label in ("indexes", "uniqueConstraints"):
        for found in calls_of(table.named.get(label, []) if table else [], _INDEXES):
            listed = found.text("columnList").split(",") if found.path == "Index" else ()
            names = tuple(part.split()[0] for part in listed if part.strip())
            names = names or texts_in(found.named.get("columnNames", []))
            unique = found.path == "UniqueConstraint" or found.flag("unique")
            if names:
                yield Key("unique" if unique else "index", names, unquoted(found.text("name")))
