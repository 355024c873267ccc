"""The calls each function makes of each library, in order: what usage patterns are mined from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import chain as joined

import msgspec

from instance.analysis.language import Role
from instance.analysis.tokens import Tokens
from instance.learning.imports import Import, declared_modules
from instance.learning.usage.chains import Call, Chains, calls_in_order
from instance.learning.usage.sequences import SEQUENCE_CALLS_MAX
from instance.learning.usage.values import Value, Values
from instance.learning.usage.variables import Variables, named
from instance.learning.vocabulary import Vocabulary
from shared.errors import PermanentError

_VERSION = b"\x01"
_NAME, _FIELD, _BINDING, _MODULE = (int(role) for role in (Role.NAME, Role.FIELD, Role.BINDING, Role.MODULE))
_REPEATED_MAX = 6
_DEFINES_FUNCTION = frozenset({"def", "defp", "defmacro", "defmacrop", "test", "setup", "setup_all"})


class LibraryCalls(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one function calls of one library, by qualified names; at least two calls."""

    library: str
    calls: tuple[str, ...]


def calls_in(
    tokens: Tokens, imports: Sequence[Import], vocabulary: Vocabulary, own: frozenset[str]
) -> list[LibraryCalls]:
    """Return the calls of each function of a file by library; calls that are repeated at once are there once.

    A call comes after those in its arguments. Lambdas, comprehensions and closures without statements of their own
    belong to the function around them; what stands in no function is a sequence, too.
    """
    values = Values(vocabulary, own | declared_modules(tokens))
    calls = _Reader(tokens, imports, values).run()
    units = _units(tokens, calls)
    by_function: dict[tuple[int, str], list[str]] = {}
    for call, unit in zip(calls, units, strict=True):
        by_function.setdefault((unit, call.value.library), []).append(call.value.name)
    sequences = ((library, _without_repetition(names)) for (_, library), names in by_function.items())
    return [LibraryCalls(library, names) for library, names in sequences if len(names) > 1]


def pack_calls(found: Iterable[LibraryCalls]) -> bytes:
    """Return a file's calls as bytes: a version, the different names, and the sequences as indexes of them."""
    listed = list(found)
    names = sorted({*(one.library for one in listed), *joined.from_iterable(one.calls for one in listed)})
    number = {name: index for index, name in enumerate(names)}
    sequences = [[number[one.library], *(number[name] for name in one.calls)] for one in listed]
    return _VERSION + msgspec.msgpack.encode((names, sequences))


def unpack_calls(packed: bytes) -> list[LibraryCalls]:
    """Return what was packed; raises `PermanentError` on bytes `pack_calls` did not make."""
    if packed[:1] != _VERSION:
        raise PermanentError("calls of an unknown version; mine this file again")
    try:
        names, sequences = msgspec.msgpack.decode(packed[1:], type=tuple[list[str], list[list[int]]])
        return [LibraryCalls(names[first], tuple(names[one] for one in rest)) for first, *rest in sequences]
    except (ValueError, IndexError) as error:
        raise PermanentError("calls of an unknown form; mine this file again") from error


class _Reader:
    """Reads the chains that begin with something of a library, in order of the text.

    Where the value of one is bound to a name, the places where that name is used later begin chains, too.
    """

    def __init__(self, tokens: Tokens, imports: Sequence[Import], values: Values) -> None:
        self.tokens = tokens
        self.texts, self.roles = tokens.texts, tokens.roles
        self.values = values
        self.chains = Chains(tokens, values)
        self.variables = Variables(tokens)
        self.imported: dict[str, Value | None] = {item.local: values.imported(item) for item in imports}
        self.waiting: list[int] = []
        self.seen: set[int] = set()
        self.followed: set[str] = set()

    def run(self) -> list[Call]:
        """Return the calls of libraries, each after those in its arguments."""
        self.waiting = self._beginnings()
        heapify(self.waiting)
        read = []
        while self.waiting:
            at = heappop(self.waiting)
            if at in self.seen:
                continue
            self.seen.add(at)
            value = self._value(at)
            if value is None or self.roles[at] == _BINDING:
                self.variables.forget(at)
                continue
            chain = self.chains.read(at, value)
            self._bind(chain.value, list(self.variables.targets(at, chain)))
            if not self._is_declared(at):
                read.append(chain)
        return calls_in_order(read)

    def _beginnings(self) -> list[int]:
        """Return the places that name a library or something of it directly."""
        known = {name for name, value in self.imported.items() if value is not None} | self.values.habits.bare
        found = [at for at, text in named(self.tokens, _NAME, _MODULE) if text in known or self.roles[at] == _MODULE]
        if self.tokens.language == "rust":  # a path may begin with a crate nobody imported
            found += [at for at, _ in named(self.tokens, _NAME) if self.texts[at + 1 : at + 2] == ["::"]]
        imports = {at for start, end in self.tokens.imports for at in range(start, end)}
        return [at for at in found if at not in imports]

    def _bind(self, value: Value | None, targets: Iterable[int]) -> None:
        for target in targets:
            if value is None or not self.variables.bind(target, self.values.instance(value)):
                continue
            if self.texts[target] not in self.followed:
                self.followed.add(self.texts[target])
                for place in self.variables.occurrences(target):
                    heappush(self.waiting, place)

    def _is_declared(self, at: int) -> bool:
        """Tell whether a chain is a decorator, an annotation or an attribute rather than a call."""
        before = self.texts[at - 1] if at else ""
        return before == "@" or (before == "[" and self.texts[at - 2 : at - 1] == ["#"])

    def _value(self, at: int) -> Value | None:
        """Return what a name stands for where it is used."""
        text, role, scope = self.texts[at], self.roles[at], self.tokens.scopes[at]
        if role == _MODULE:
            return self._module(text)
        if role == _FIELD:
            return self.variables.held_by_field(at)
        held, is_variable = self.variables.held(at)
        if is_variable:
            return held
        if text in self.imported:
            return None if self.tokens.is_bound_inside(text, scope) else self.imported[text]
        if self.tokens.is_bound(text, scope):
            return None
        heads_path = self.texts[at + 1 : at + 2] == ["::"] and self.tokens.language == "rust"
        return self.values.bare(text) or (self.values.known_module(text) if heads_path else None)

    def _module(self, text: str) -> Value | None:
        """Return the module a name of Elixir stands for."""
        head, dot, rest = text.partition(".")
        if head not in self.imported:
            return self.values.known_module(text)
        known = self.imported[head]
        return self.values.known_module(f"{known.name}{dot}{rest}") if known is not None else None


def _without_repetition(names: Iterable[str]) -> tuple[str, ...]:
    """Return names without the copies of up to `_REPEATED_MAX` of them that follow them: unrolled loops, tables."""
    kept: list[str] = []
    for name in names:
        kept.append(name)
        for size in range(1, _REPEATED_MAX + 1):
            if kept[-size:] == kept[-2 * size : -size]:
                del kept[-size:]
                break
    return tuple(kept[:SEQUENCE_CALLS_MAX])


def _units(tokens: Tokens, calls: Iterable[Call]) -> list[int]:
    """Return for each call the function it is in."""
    if tokens.language == "elixir":
        return _defining_statements(tokens, calls)
    scopes, parents = tokens.scopes, tokens.scope_parents
    with_statements = {0, *(scopes[start] for start in tokens.starts if start < len(scopes))}
    unit_of: list[int] = []
    for scope, parent in enumerate(parents):  # a parent comes before its children
        unit_of.append(scope if scope in with_statements else unit_of[parent])
    return [unit_of[scopes[call.at]] for call in calls]


def _defining_statements(tokens: Tokens, calls: Iterable[Call]) -> list[int]:
    """Return for each call the last statement before it that defines a function, as Elixir has no scopes."""
    texts, starts = tokens.texts, tokens.starts
    found = [start for start, end in zip(starts, tokens.ends, strict=True) if end > start]
    defining = [start for start in found if texts[start] in _DEFINES_FUNCTION]
    return [bisect_right(defining, call.at) for call in calls]
