"""What an expression stands for, as far as libraries go: a module, a function, a type or an object of one of them.

Nothing is known of a library but its name, so the rules are those of habit: a capital is a type, calling a type makes
an object of it, and what any other call returns is some object of the same library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from itertools import takewhile
from types import MappingProxyType
from typing import Final, NamedTuple

from instance.analysis.language import words
from instance.learning.imports import Import
from instance.learning.origins import OWN, origin_of
from instance.learning.vocabulary import LANGUAGE, Vocabulary


class Kind(IntEnum):
    """What can be done with a value: reach into it, call it, or call its methods."""

    PLACE = 0  # a module or a function; nobody can tell before it is called
    TYPE = 1
    OBJECT = 2
    SOMETHING = 3  # an object of a library, of which type is unknown


class Value(NamedTuple):
    """Something of a library, by its qualified name; of an object the name of its type.

    `returns` is the name of the type its call returns, if that is known; `root` is what names start with otherwise.
    """

    library: str
    root: str
    name: str
    kind: Kind
    standard: bool
    returns: str = ""


@dataclass(frozen=True, slots=True)
class _Habits:
    """How a language names things, and which methods tell nothing about the library an object is from.

    `everyday` are methods of its strings and collections, `transparent` ones give back what they are called on.
    """

    separator: str = "."
    everyday: frozenset[str] = frozenset()
    transparent: frozenset[str] = frozenset()
    bare: frozenset[str] = frozenset()  # types everybody has without an import, and worth following
    types_make_their_own: bool = True  # `Type.method()` returns an object of that type
    capitals_are_types: bool = True
    standard_is_one: bool = False  # the standard library is so broad that "some object of it" says nothing


_SCRIPT = _Habits(
    everyday=words(
        """
        map filter forEach reduce find findIndex some every includes indexOf push pop shift unshift slice splice concat
        join sort reverse flat flatMap keys values entries split trim replace replaceAll toLowerCase toUpperCase at
        startsWith endsWith padStart padEnd match charAt substring toString toFixed then catch finally length
        """
    ),
    bare=words(
        "JSON URL URLSearchParams Map Set WeakMap AbortController FormData Headers Request Response WebSocket"
        " EventSource TextEncoder TextDecoder FileReader XMLHttpRequest IntersectionObserver MutationObserver Intl"
        " process document window localStorage sessionStorage performance crypto"
    ),
)
_HABITS = MappingProxyType(
    {
        "python": _Habits(
            everyday=words(
                """
                append extend insert remove pop clear index count sort reverse copy keys values items get update
                setdefault popitem add discard union difference intersection issubset issuperset join split rsplit
                splitlines strip lstrip rstrip lower upper title capitalize replace startswith endswith find rfind
                format encode decode isdigit isalpha partition rpartition zfill ljust rjust center removeprefix
                removesuffix hex
                """
            )
        ),
        "javascript": _SCRIPT,
        "typescript": _SCRIPT,
        "tsx": _SCRIPT,
        "go": _Habits(everyday=words("Error String"), types_make_their_own=False, capitals_are_types=False),
        "rust": _Habits(
            separator="::",
            everyday=words(
                """
                iter into_iter iter_mut map filter filter_map flat_map collect to_string to_owned to_vec as_str len push
                is_empty insert get get_mut unwrap_or_else into as_bytes lines split trim parse is_some is_none is_ok
                is_err and_then or_else unwrap_or ok_or_else fold for_each enumerate zip chain rev take skip next cloned
                copied contains eq cmp
                """
            ),
            transparent=words(
                "unwrap expect clone map_err context with_context ok ok_or as_ref as_mut wrap_err unwrap_or_default"
            ),
            standard_is_one=True,
        ),
        "java": _Habits(
            everyday=words(
                """
                equals hashCode toString get size isEmpty contains add put remove length charAt substring trim split
                indexOf startsWith endsWith toLowerCase toUpperCase replace getClass compareTo
                """
            ),
            bare=words("StringBuilder StringBuffer Thread Runtime ProcessBuilder ThreadLocal Class ClassLoader System"),
            types_make_their_own=False,
            standard_is_one=True,
        ),
        "elixir": _Habits(capitals_are_types=False),
    }
)
_NAME_CHARACTERS_MAX: Final = 200
_GO_VERSION = re.compile(r"/v\d+(?=/|$)|\.v\d+(?=/|$)")


class Values:
    """What names stand for in the files of one repository and language."""

    def __init__(self, vocabulary: Vocabulary, own: frozenset[str]) -> None:
        self.vocabulary = vocabulary
        self.own = own
        self.language = vocabulary.language
        self.habits = _HABITS[vocabulary.language]

    def imported(self, item: Import) -> Value | None:
        """Return what an import makes known; None for what is the repository's own."""
        place = self.module(item.module)
        if place is None or not item.name:
            return place
        return None if item.name == "*" else self._inside(place, item.name)

    def known_module(self, module: str) -> Value | None:
        """Return a module that was not imported: only of the language or a well-known package, the rest may be ours."""
        place = self.module(module)
        known = place is not None and (place.standard or place.library in self.vocabulary.packages)
        return place if known else None

    def module(self, module: str) -> Value | None:
        """Return a module of a library; None for one of the repository."""
        origin = origin_of(module, self.vocabulary, self.own)
        if origin == OWN:
            return None
        standard = origin == LANGUAGE
        name = _GO_VERSION.sub("", module) if self.language == "go" else module
        library = self._standard_library(module) if standard else origin
        root = name if self.language == "go" else library
        return Value(library, root, name, self._kind(name), standard)

    def bare(self, name: str) -> Value | None:
        """Return a type or object that is there without an import; it is a library of its own."""
        return Value(name, name, name, Kind.TYPE, standard=True) if name in self.habits.bare else None

    def member(self, value: Value, name: str, *, called: bool) -> Value | None:
        """Return what is inside a value; None when it is nothing of the library, or may be the repository's own."""
        if name in self.habits.transparent:
            return value
        if len(value.name) > _NAME_CHARACTERS_MAX or (value.standard and name not in self.vocabulary.members):
            return None
        if value.kind < Kind.OBJECT:
            return self._inside(value, name)
        if value.kind is Kind.SOMETHING and name in self.habits.everyday:
            return None
        if called:
            return value._replace(name=self._join(value.name, name), kind=Kind.PLACE, returns="")
        # What hangs from a foreign object may be ours: a column of a row, the state of an application.
        return value._replace(name=self._join(value.name, name), kind=Kind.SOMETHING) if value.standard else None

    def returned(self, value: Value, *, constructed: bool = False) -> Value | None:
        """Return what calling a value gives; `constructed`: `new` stood before it."""
        if constructed or value.kind is Kind.TYPE:
            return value._replace(kind=Kind.OBJECT)
        if value.returns:
            return value._replace(name=value.returns, kind=Kind.OBJECT, returns="")
        if value.standard and self.habits.standard_is_one and value.library not in self.habits.bare:
            return None
        return value._replace(name=value.root, kind=Kind.SOMETHING, returns="")

    def instance(self, value: Value) -> Value:
        """Return what a variable holds that is declared with a value as its type, or to which it is assigned."""
        return value._replace(kind=Kind.OBJECT) if value.kind is Kind.TYPE else value

    def _inside(self, value: Value, name: str) -> Value:
        returns = value.name if value.kind is Kind.TYPE and self.habits.types_make_their_own else ""
        joined = self._join(value.name, name)
        return Value(value.library, value.root, joined, self._kind(name), value.standard, returns)

    def _kind(self, name: str) -> Kind:
        last = name.rpartition(self.habits.separator)[2].lstrip("_")
        return Kind.TYPE if self.habits.capitals_are_types and last[:1].isupper() else Kind.PLACE

    def _join(self, name: str, member: str) -> str:
        return f"{name}{self.habits.separator}{member}"

    def _standard_library(self, module: str) -> str:
        """Return what calls are sequenced by: a module, a package, or all of a standard library made of one piece."""
        match self.language:
            case "python":
                return module.partition(".")[0]
            case "java":
                return ".".join(takewhile(str.islower, module.split(".")))
            case "rust":
                return "std"
            case "elixir" | "go":
                return module if self.language == "go" else self.language
            case _:
                return module.partition("/")[0]
