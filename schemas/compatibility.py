"""What a new JSON Schema breaks for those who know the old one.

New code must read everything old code wrote, and old code must find every field it relies on. So an optional field
may be added, an enum may learn a value, a bound may widen, a union may learn a tagged type; the rest is a breakage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, Final, NamedTuple

Schema = Mapping[str, Any]

TAG_FIELD: Final = "type"
_BOUNDS: Final = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), 1),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), -1),
}
"""1 where growing tightens, -1 where shrinking does."""
_FIXED: Final = ("pattern", "format", "multipleOf")
_ANYTHING: Final[Schema] = {}


class Breakage(NamedTuple):
    """What readers or writers of the old schema would stumble over, and where."""

    path: str
    problem: str


def breakages(old: Schema, new: Schema) -> list[Breakage]:
    """Compare two self-contained schemas as `export.json_schema` makes them; empty when `new` only adds."""
    return list(_Comparison(old, new).places("$", old, new))


class _Comparison:
    """A walk through two schemas at once; a pair of definitions is walked only once."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old_definitions = old.get("$defs", {})
        self._new_definitions = new.get("$defs", {})
        self._walked: set[tuple[int, int]] = set()

    def places(self, path: str, old: Schema, new: Schema) -> Iterator[Breakage]:
        """Compare what may stand at one place: each member of a union with its counterpart."""
        olds = _members(old, self._old_definitions)
        news = _members(new, self._new_definitions)
        yield from _membership(path, olds, news)
        if old.get("default") != new.get("default"):
            yield Breakage(path, f"default changed from {old.get('default')!r} to {new.get('default')!r}")
        for label in sorted(olds.keys() & news.keys()):
            yield from self._values(path, olds[label], news[label])

    def _values(self, path: str, old: Schema, new: Schema) -> Iterator[Breakage]:
        pair = (id(old), id(new))
        if pair in self._walked:
            return
        self._walked.add(pair)
        yield from _constraints(path, old, new)
        yield from self._fields(path, old, new)
        yield from self._items(path, old, new)

    def _fields(self, path: str, old: Schema, new: Schema) -> Iterator[Breakage]:
        """Compare the fields of objects, and the values of mappings."""
        olds, news = old.get("properties", {}), new.get("properties", {})
        must, must_now = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(olds.keys() - news.keys()):
            yield Breakage(f"{path}.{name}", "field removed")
        for name in sorted(must_now - must):
            yield Breakage(f"{path}.{name}", "field is now required: old writers leave it out")
        for name in sorted((must - must_now) & news.keys()):
            yield Breakage(f"{path}.{name}", "field is no longer required: old readers rely on it")
        for name in sorted(olds.keys() & news.keys()):
            yield from self.places(f"{path}.{name}", olds[name], news[name])
        yield from self._nested(f"{path}.*", old, new, "additionalProperties")

    def _items(self, path: str, old: Schema, new: Schema) -> Iterator[Breakage]:
        """Compare the items of arrays, and the places of tuples."""
        olds, news = old.get("prefixItems", ()), new.get("prefixItems", ())
        if len(olds) != len(news):
            yield Breakage(path, f"tuple of {len(olds)} became tuple of {len(news)}")
        for place, (was, now) in enumerate(zip(olds, news, strict=False)):
            yield from self.places(f"{path}[{place}]", was, now)
        yield from self._nested(f"{path}[]", old, new, "items")

    def _nested(self, path: str, old: Schema, new: Schema, keyword: str) -> Iterator[Breakage]:
        """Compare the schemas under a keyword that may also be absent, true or false."""
        was, now = old.get(keyword, True), new.get(keyword, True)
        if was is False or was is now:
            return
        if now is False:
            yield Breakage(path, "nothing more is allowed here")
        else:
            yield from self.places(path, _ANYTHING if was is True else was, _ANYTHING if now is True else now)


def _members(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the alternatives of a schema by tag or type, references resolved."""
    if "$ref" in schema:
        return _members(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    if "anyOf" not in schema:
        return {_label(schema): schema}
    return {label: found for part in schema["anyOf"] for label, found in _members(part, definitions).items()}


def _label(schema: Schema) -> str:
    tags = schema.get("properties", {}).get(TAG_FIELD, {}).get("enum", ())
    if len(tags) == 1 and TAG_FIELD in schema.get("required", ()):
        return f"tag {tags[0]}"
    return "type " + str(schema.get("type", "enum" if "enum" in schema else "anything"))


def _membership(path: str, olds: Mapping[str, Schema], news: Mapping[str, Schema]) -> Iterator[Breakage]:
    for label in sorted(olds.keys() - news.keys()):
        yield Breakage(path, f"{label} removed")
    for label in sorted(news.keys() - olds.keys()):
        if not label.startswith("tag "):
            yield Breakage(path, f"{label} added: old readers do not expect it")


def _constraints(path: str, old: Schema, new: Schema) -> Iterator[Breakage]:
    """Compare what limits one value by itself."""
    values = old.get("enum", ())
    for value in values:
        if value not in new.get("enum", values):
            yield Breakage(path, f"enum value {value!r} removed")
    for keyword in _FIXED:
        if old.get(keyword) != new.get(keyword):
            yield Breakage(path, f"{keyword} changed from {old.get(keyword)!r} to {new.get(keyword)!r}")
    for keyword, sign in _BOUNDS.items():
        if sign * new.get(keyword, sign * -inf) > sign * old.get(keyword, sign * -inf):
            yield Breakage(path, f"{keyword} tightened to {new[keyword]}")
