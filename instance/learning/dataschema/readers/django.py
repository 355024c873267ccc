"""Django's models; its migrations say the same, so the models alone are read."""

from __future__ import annotations

from collections.abc import Iterator

from instance.learning.dataschema.changes import Change, Created, Field, Key
from instance.learning.dataschema.readers.phrases import Call, call, calls_of, inside, split, texts_in, unquoted
from instance.learning.dataschema.readers.python_classes import Attribute, Class, classes
from instance.learning.dataschema.readers.source import Source
from instance.learning.dataschema.types import public_type

_REFERENCES = frozenset({"ForeignKey", "OneToOneField"})
_NO_COLUMNS = frozenset({"ManyToManyField", "GenericForeignKey", "GenericRelation"})
_NOT_MODELS = ("forms.", "serializers.", "filters.", "fields.")
_CONSTRAINTS = frozenset({"UniqueConstraint", "Index"})
_NOT_FIELDS = frozenset({"output_field", "form_class"})
_USER = ("AUTH_USER_MODEL", "get_user_model")
_LIBRARY = {
    "AbstractBaseUser": (Field("password", "text", nullable=False), Field("last_login", "timestamp")),
    "PermissionsMixin": (Field("is_superuser", "boolean", nullable=False),),
    "AbstractUser": (
        Field("password", "text", nullable=False),
        Field("last_login", "timestamp"),
        Field("is_superuser", "boolean", nullable=False),
        *(Field(name, "text", nullable=False) for name in ("username", "first_name", "last_name", "email")),
        *(Field(name, "boolean", nullable=False) for name in ("is_staff", "is_active")),
        Field("date_joined", "timestamp", nullable=False),
    ),
}  # what Django's own abstract models bring along
_MODEL_FOLDERS = frozenset({"models", "migrations"})


def read_django(source: Source) -> Iterator[Change]:
    """Yield the models a file declares; abstract ones are parts without a table."""
    if not {"django", "models"} & source.words or "migrations" in source.path.split("/"):
        return
    app = _app(source)
    known: set[str] = set(_LIBRARY)
    for found in classes(source.outline):
        if _is_model(found) or known & set(found.parts):
            known.add(found.name)
            yield from _model(found, app)


def _app(source: Source) -> str:
    """Return the label of the app a file belongs to: the folder around models.py or models/."""
    folders = [folder for folder in source.path.split("/")[:-1] if folder not in _MODEL_FOLDERS]
    return folders[-1] if folders else ""


def _is_model(found: Class) -> bool:
    if any(base in ("models.Model", "gis_models.Model") for base in found.bases):
        return True
    return any("".join(each.value[:2]) == "models." and _field_name(each) for each in found.attributes)


def _field_name(each: Attribute) -> str:
    value = call(each.value)
    if value is None or each.name in _NOT_FIELDS or value.path.startswith(_NOT_MODELS):
        return ""
    name = value.name
    return name if name.endswith("Field") or name == "ForeignKey" else ""


def _model(found: Class, app: str) -> Iterator[Change]:
    meta = found.inner.get("Meta", {})
    if meta.get("proxy") == ["True"]:
        return
    fields = [field for base in found.parts for field in _LIBRARY.get(base, ())]
    keys: list[Key] = []
    columns: dict[str, str] = {}
    for each in found.attributes:
        value = call(each.value)
        name = _field_name(each)
        if value and name and name not in _NO_COLUMNS:
            field, own = _column(each.name, value, found.name)
            fields.append(field)
            keys.extend(own)
            columns[each.name] = field.name
    keys.extend(_meta_keys(meta, columns))
    abstract = meta.get("abstract") == ["True"]
    table = "" if abstract else unquoted(meta.get("db_table", [_table(app, found.name)])[0])
    yield Created(table, tuple(fields), tuple(keys), "django", found.name, found.parts, "" if abstract else "bigint")


def _table(app: str, name: str) -> str:
    return f"{app}_{name.lower()}" if app else name.lower()


def _column(name: str, value: Call, model: str) -> tuple[Field, list[Key]]:
    """Return the column of one field of a model, and the keys that its arguments declare."""
    refers = value.name in _REFERENCES
    column = value.text("db_column") or (f"{name}_id" if refers else name)
    primary = bool(value.flag("primary_key")) or value.name.endswith("AutoField")
    field = Field(
        column,
        "bigint" if refers else public_type(value.name),
        bool(value.flag("null")),
        "model" if "choices" in value.named else "",
        _target(value, model) if refers else "",
    )
    return field, _keys(field, value, primary=primary)


def _keys(field: Field, value: Call, *, primary: bool) -> list[Key]:
    keys: list[Key] = []
    column = field.name
    refers = value.name in _REFERENCES
    if refers:
        target = value.text("to_field")
        keys.append(Key("foreign", (column,), "", field.of, (target,) if target else ()))
    if primary:
        keys.append(Key("primary", (column,)))
    elif value.flag("unique") or value.name == "OneToOneField":
        keys.append(Key("unique", (column,)))
    elif value.flag("db_index") or value.name == "SlugField" or (refers and value.flag("db_index") is None):
        keys.append(Key("index", (column,)))
    return keys


def _target(value: Call, model: str) -> str:
    """Return the model a reference is to: `"self"` is the model itself, the user model is called User by default."""
    to = value.first or value.named.get("to", [])
    if any(name in to for name in _USER):
        return "User"
    name = unquoted(to[-1]).rpartition(".")[2] if to else ""
    return model if name == "self" else name


def _meta_keys(meta: dict[str, list[str]], columns: dict[str, str]) -> Iterator[Key]:
    for part in ("constraints", "indexes"):
        for found in calls_of(meta.get(part, []), _CONSTRAINTS):
            names = _columns(found.named.get("fields", []), columns)
            unique = found.path == "UniqueConstraint" and "condition" not in found.named
            if names:
                yield Key("unique" if unique else "index", names, found.text("name"))
    for part in ("unique_together", "index_together"):
        value = inside(meta.get(part, []))
        groups = [group for group in split(value) if group[0] in ("(", "[")] or [value]
        for group in groups:
            if names := _columns(group, columns):
                yield Key("unique" if part == "unique_together" else "index", names)


def _columns(part: list[str], columns: dict[str, str]) -> tuple[str, ...]:
    return tuple(columns.get(name, name) for text in texts_in(part) if (name := text.removeprefix("-")))
