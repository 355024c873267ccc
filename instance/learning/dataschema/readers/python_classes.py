"""Python classes as ORMs use them: a name, bases, and attributes with annotations and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from instance.learning.dataschema.readers.outline import Outline
from instance.learning.dataschema.readers.phrases import NO_CALL, Call, call, split, unquoted
from instance.learning.dataschema.types import is_public_type

_WRAPPERS = frozenset({"Mapped", "Optional", "Annotated", "Union", "ClassVar", "Required", "List", "Final"})
_NO_TYPES = frozenset({"None", "|", "[", "]", ",", ".", "(", ")"})


class Attribute(NamedTuple):
    """`name: annotation = value` in a class or a module; either may be empty."""

    name: str
    annotation: list[str]
    value: list[str]


class Class(NamedTuple):
    """A class: `bases` are dotted, `flags` what else stands in its brackets; `inner` are its nested classes."""

    name: str
    bases: tuple[str, ...]
    header: Call
    attributes: list[Attribute]
    inner: dict[str, dict[str, list[str]]]

    @property
    def parts(self) -> tuple[str, ...]:
        """The last names of the bases."""
        return tuple(base.rpartition(".")[2] for base in self.bases)


class Annotated(NamedTuple):
    """What an annotation says: the name of a type ("": nothing), and whether None is allowed."""

    type: str
    nullable: bool


def classes(outline: Outline) -> Iterator[Class]:
    """Yield every class of a file, nested ones too."""
    for statement in outline.below():
        found = _class(outline, statement)
        if found:
            yield found


def attribute(texts: list[str]) -> Attribute | None:
    """Return an assignment or annotation of one plain name; None for any other statement."""
    if len(texts) < 3 or not texts[0].isidentifier() or texts[1] not in ("=", ":"):  # noqa: PLR2004 - `x = y`
        return None
    if texts[1] == "=":
        return Attribute(texts[0], [], texts[2:])
    annotation, *rest = split(texts[2:], "=")
    value = texts[3 + len(annotation) :] if rest else []
    return Attribute(texts[0], annotation, value)


def annotated(annotation: list[str]) -> Annotated:
    """Return what `Mapped[int | None]` and its like say."""
    words = [text for token in annotation for text in unquoted(token).replace("[", " [ ").split()]
    nullable = "None" in words or "Optional" in words
    names = [word for word in words if word not in _WRAPPERS and word not in _NO_TYPES]
    known = [name for name in names if is_public_type(name.rstrip("]"))]
    if not names:
        return Annotated("", nullable)
    dotted = names[0] in ("datetime", "decimal", "uuid") and len(known) > 1
    first = known[1] if dotted else names[0]
    return Annotated(first.rstrip("]"), nullable)


def _class(outline: Outline, statement: int) -> Class | None:
    header = _header(outline.head(statement))
    if header is None:
        return None
    attributes: list[Attribute] = []
    inner: dict[str, dict[str, list[str]]] = {}
    for child in outline.children(statement):
        nested = _header(outline.head(child))
        if nested is not None:
            found = (attribute(outline.texts(below)) for below in outline.children(child))
            inner[nested.path] = {each.name: each.value for each in found if each}
        elif (each := attribute(outline.texts(child))) is not None:
            attributes.append(each)
    bases = tuple("".join(base) for base in header.arguments)
    return Class(header.path, bases, header, attributes, inner)


def _header(head: list[str]) -> Call | None:
    """Return `Name(bases)` of a class statement, decorated or not."""
    if "class" not in head:
        return None
    at = head.index("class")
    if head[at + 2 : at + 3] == [":"]:
        return NO_CALL._replace(path=head[at + 1])
    return call(head[at + 1 :])
