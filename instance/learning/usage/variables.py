"""Variables and fields that hold something of a library: where each is bound, and what it holds at a place.

A light inference: the last binding before a place counts, in the innermost scope that has one; branches and loops are
read as if they came one after another.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from itertools import compress

from instance.analysis.language import Role, words
from instance.analysis.languages import LANGUAGES
from instance.analysis.tokens import NOWHERE, Tokens
from instance.learning.usage.chains import DOTS, Chain
from instance.learning.usage.values import Kind, Value

_NAME, _FIELD, _BINDING, _LABEL = (int(role) for role in (Role.NAME, Role.FIELD, Role.BINDING, Role.LABEL))
_VARIABLE = frozenset({_NAME, _BINDING})
_ASSIGNS = frozenset({"=", ":="})
_BEFORE_VALUE = words("await new & * mut dyn try")
_WRAPPERS = words("Optional Option Arc Rc Box Mutex RwLock RefCell Readonly Annotated")
_MAKES_FIELD = words("private public protected readonly")  # before a parameter of a TypeScript constructor


class _Bindings:
    """Where one variable is bound, in order, and what it holds from there on."""

    __slots__ = ("places", "values")

    def __init__(self) -> None:
        self.places: list[int] = []
        self.values: dict[int, Value | None] = {}

    def put(self, at: int, value: Value | None) -> bool:
        """Bind at a place; False when something of a library is bound there already."""
        if self.values.get(at) is not None:
            return False
        if at not in self.values:
            insort(self.places, at)
        self.values[at] = value
        return True

    def before(self, at: int) -> Value | None:
        """Return what was bound last before a place, or else what is bound first: a function may run later."""
        return self.values[self.places[max(bisect_left(self.places, at) - 1, 0)]]


class Variables:
    """Those of one file."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.texts, self.roles = tokens.texts, tokens.roles
        self.language = tokens.language
        self.receivers = LANGUAGES[tokens.language].receivers
        self._held: dict[tuple[str, int], _Bindings] = {}
        self._fields: dict[str, Value | None] = {}

    def held(self, at: int) -> tuple[Value | None, bool]:
        """Return what the variable at a place holds, and whether it is one that ever held something of a library."""
        here = scope = self.tokens.scopes[at]
        while scope != NOWHERE:
            bound = self._held.get((self.texts[at], scope))
            if bound is not None and (bound.places[0] < at or scope != here):
                return bound.before(at), True
            scope = self.tokens.scope_parents[scope]
        return None, False

    def held_by_field(self, at: int) -> Value | None:
        """Return what the field at a place holds, if it is one of an own object."""
        return self._fields.get(self.texts[at]) if self._is_own_field(at) else None

    def forget(self, at: int) -> None:
        """Note that something else is bound at a place, unless a library's value turns out to be."""
        if self.roles[at] == _BINDING or (self.roles[at] == _NAME and self.texts[at + 1 : at + 2] == ["="]):
            self._bound(at).put(at, None)

    def bind(self, at: int, value: Value) -> bool:
        """Let the variable or field at a place hold a value from there on; False when it is declared as another."""
        name = self.texts[at]
        if self.roles[at] in _VARIABLE and not self._bound(at).put(at, value):
            return False
        if self.roles[at] not in _VARIABLE or self._declares_field(at):
            self._fields[name] = _agreed(self._fields.get(name, value), value)
        return True

    def _bound(self, at: int) -> _Bindings:
        return self._held.setdefault((self.texts[at], self.tokens.scopes[at]), _Bindings())

    def occurrences(self, at: int) -> Sequence[int]:
        """Return where what is bound at a place may be meant: all places of the name."""
        return self._places[self.texts[at]]

    def targets(self, start: int, chain: Chain) -> Iterator[int]:
        """Go through the places that the value of a chain is bound to: assigned, declared, or after `as`."""
        end, before = chain.at, self._before_value(start)
        if self._text(before) in _ASSIGNS:
            yield from self._assigned(before - 1)
        elif self._text(before) == ":" and before + 1 not in self._statement_starts:
            if chain.value is not None and chain.value.kind is Kind.TYPE:
                yield from self._annotated(before - 1)
        elif self.language == "go" and self._role(before) in {_BINDING, _LABEL} and not chain.calls:
            yield before
        if self._role(end) == _BINDING and self.language == "java" and not chain.calls:
            yield end
        elif self._text(end) == "as" and self._role(end + 1) == _BINDING:
            yield end + 1

    def _before_value(self, start: int) -> int:
        """Return the place before a value and whatever is in front of it: `await`, `&mut`, `Option<`."""
        at = start - 1
        while at > 0:
            if self.texts[at] in _BEFORE_VALUE:
                at -= 1
            elif self.texts[at] in "[<" and self.texts[at - 1] in _WRAPPERS:
                at -= 2
            else:
                break
        return at

    def _assigned(self, at: int) -> Iterator[int]:
        """Go through what is before `=`: a variable, in Go the first of several, a field, or `Ok(variable)`."""
        if self.language == "java" and self._text(at - 1) != "var":
            return  # the declared type says what it is
        while self.language == "go" and self._text(at - 1) == "," and self._role(at - 2) in _VARIABLE:
            at -= 2
        if self._text(at) == ")" and self._text(at - 2) == "(":
            at -= 1
        if self._role(at) == _FIELD:
            if self._is_own_field(at):
                yield at
        elif self._role(at) == _BINDING or (self._role(at) == _NAME and self._text(at - 1) not in {":", ",", "->"}):
            yield at

    def _annotated(self, at: int) -> Iterator[int]:
        """Go through what is before `:`: a variable or a field; a key of an object literal does no harm."""
        if self._text(at) == "?":
            at -= 1
        if self._role(at) in {_BINDING, _LABEL} or self._is_own_field(at):
            yield at

    def _is_own_field(self, at: int) -> bool:
        """Tell whether a field is one of an own object: `self.x`, and in Go `s.x` of any variable."""
        if self._role(at) != _FIELD or self._text(at - 1) not in DOTS or self._text(at - 3) in DOTS:
            return False
        return self._text(at - 2) in self.receivers or (self.language == "go" and self._role(at - 2) in _VARIABLE)

    def _declares_field(self, at: int) -> bool:
        """Tell whether a variable is a field as well: declared in a class, or as a parameter that becomes one."""
        return self.tokens.scopes[at] in self._class_scopes or self._text(at - 1) in _MAKES_FIELD

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        places: defaultdict[str, list[int]] = defaultdict(list)
        for at, text in named(self.tokens, _NAME, _FIELD, _BINDING):
            places[text].append(at)
        return places

    @cached_property
    def _class_scopes(self) -> frozenset[int]:
        """The scopes of classes: what is declared there are fields."""
        backwards = range(len(self.texts) - 1, -1, -1)
        first = dict(zip(reversed(self.tokens.scopes), backwards, strict=True))
        return frozenset(scope for scope, at in first.items() if self.texts[at] in {"class", "{"} and scope)

    @cached_property
    def _statement_starts(self) -> frozenset[int]:
        return frozenset(self.tokens.starts)

    def _text(self, at: int) -> str:
        return self.texts[at] if 0 <= at < len(self.texts) else ""

    def _role(self, at: int) -> int:
        return self.roles[at] if 0 <= at < len(self.roles) else -1


def _agreed(one: Value | None, other: Value) -> Value | None:
    """Return what a field holds that is bound twice: of two values the one whose type is known, of two types none."""
    if one is None or one == other or other.kind is Kind.SOMETHING:
        return one
    return other if one.kind is Kind.SOMETHING else None


def named(tokens: Tokens, *roles: int) -> Iterator[tuple[int, str]]:
    """Go through the tokens with one of these roles: place and text."""
    return compress(enumerate(tokens.texts), tokens.roles.translate(_mask(roles)))


@cache
def _mask(roles: tuple[int, ...]) -> bytes:
    return bytes(role in roles for role in range(256))
