"""TypeORM entities."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import Change, Created, Field, Key
from instance.learning.dataschema.readers.decorated import Decorated, decorated, options
from instance.learning.dataschema.readers.phrases import Call, is_text, snake_case, texts_in, unquoted
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.types import PUBLIC, public_type

_COLUMNS = ("Column", "PrimaryColumn", "PrimaryGeneratedColumn", "ObjectIdColumn", "VersionColumn", *(
    "CreateDateColumn", "UpdateDateColumn", "DeleteDateColumn",
))  # fmt: skip
_DATES = ("CreateDateColumn", "UpdateDateColumn", "DeleteDateColumn")
_REFERENCES = ("ManyToOne", "OneToOne")
_PRIMARY = ("PrimaryColumn", "PrimaryGeneratedColumn")
_TYPES = {**PUBLIC, "number": "integer", "increment": "integer", "rowid": "bigint", "identity": "integer"}
_MODIFIERS = frozenset({"public", "private", "protected", "readonly", "declare", "override", "static"})
_QUALIFIERS = frozenset({"?", "!"})


def read_typeorm(source: Source) -> Iterator[Change]:
    """Yield the entities a file declares, and the classes with columns they may extend."""
    if not source.words & set(_COLUMNS):
        return
    for statement in source.outline.below():
        head = decorated(source.outline.head(statement))
        if "class" in head.texts[:4]:
            yield from _entity(source, statement, head)


def _entity(source: Source, statement: int, head: Decorated) -> Iterator[Change]:
    at = head.texts.index("class")
    name = head.texts[at + 1] if at + 1 < len(head.texts) else ""
    fields: list[Field] = []
    keys = [key for each in head.decorators if (key := _class_key(each))]
    primary: list[str] = []
    for child in source.outline.children(statement):
        member = decorated(source.outline.texts(child))
        field = _field(member)
        if field is not None:
            fields.append(field)
            keys.extend(_keys(member, field))
            primary.extend([field.name] if member.has(*_PRIMARY) else [])
    if primary:
        keys.append(Key("primary", tuple(primary)))
    entity = head.one("Entity")
    if fields and name:
        bases = tuple(head.texts[head.texts.index("extends") + 1 :][:1]) if "extends" in head.texts else ()
        table = _table(entity, name) if entity else ""
        yield Created(table, tuple(fields), tuple(keys), "typeorm", name, bases)


def _table(entity: Call, name: str) -> str:
    if entity.first and is_text(entity.first[0]):
        return unquoted(entity.first[0])
    given = options(entity).get("name", [])
    return unquoted(given[0]) if given else snake_case(name)


def _field(member: Decorated) -> Field | None:
    """Return the column of a member; None when it has none, like the far side of a relation."""
    texts = [text for text in member.texts if text not in _MODIFIERS]
    name = texts[0] if texts else ""
    column = member.one(*_COLUMNS)
    if column is not None and name:
        said = options(column)
        given = said.get("name", [])
        kind = _type(column, said, texts)
        nullable = said.get("nullable") == ["true"]
        return Field(unquoted(given[0]) if given else name, kind.type, nullable, kind.enum)
    reference = member.one(*_REFERENCES)
    if reference is None or (reference.path == "OneToOne" and not member.has("JoinColumn")):
        return None
    joined = options(member.one("JoinColumn") or reference).get("name", [])
    nullable = options(reference).get("nullable") != ["false"]
    return Field(unquoted(joined[0]) if joined else f"{name}Id", nullable=nullable, of=_target(reference))


def _type(column: Call, said: dict[str, list[str]], texts: list[str]) -> Field:
    given = texts_in(column.first[:1]) or texts_in(said.get("type", []))
    if "enum" in said or given == ("enum",):
        return Field("", "text", enum="type")
    if said.get("array") == ["true"]:
        return Field("", "array")
    if given:
        return Field("", public_type(given[0], _TYPES))
    if column.path in _DATES:
        return Field("", "timestamp")
    if column.path == "PrimaryGeneratedColumn":
        return Field("", "integer")
    return Field("", _written(texts))


def _written(texts: list[str]) -> str:
    """Return the type of `name?: Type | null`."""
    rest = [text for text in texts[1:] if text not in _QUALIFIERS]
    if rest[:1] != [":"] or not rest[1:]:
        return "other"
    return "array" if rest[2:3] == ["["] else public_type({"Date": "datetime"}.get(rest[1], rest[1]), _TYPES)


def _target(reference: Call) -> str:
    """Return `Org` of `() => Org`, or of "Org"."""
    first = reference.first
    return unquoted(first[-1]) if first else ""


def _keys(member: Decorated, field: Field) -> Iterator[Key]:
    columns = (field.name,)
    if field.of:
        yield Key("foreign", columns, "", field.of)
    column = member.one(*_COLUMNS)
    if member.has("OneToOne") or (column and options(column).get("unique") == ["true"]):
        yield Key("unique", columns)
    index = member.one("Index")
    if index:
        yield Key("unique" if options(index).get("unique") == ["true"] else "index", columns)


def _class_key(each: Call) -> Key | None:
    """Return the key of `@Index(["a", "b"], {unique: true})` or `@Unique("name", ["a", "b"])` on a class."""
    columns = next((texts_in(part) for part in each.arguments if part[0] == "["), ())
    if each.path not in ("Index", "Unique") or not columns:
        return None
    unique = each.path == "Unique" or options(each).get("unique") == ["true"]
    return Key("unique" if unique else "index", columns)
