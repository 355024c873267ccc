"""Chains of members and calls, `requests.Session().get(url).json()`: what is called on the way, and what comes out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from instance.analysis.language import Role
from instance.analysis.tokens import Tokens
from instance.learning.usage.brackets import Brackets
from instance.learning.usage.values import Kind, Value, Values

DOTS = frozenset({".", "?.", "::"})
_NAMES = frozenset({int(Role.NAME), int(Role.FIELD), int(Role.DEFINITION), int(Role.BINDING), int(Role.LABEL)})
_WITHIN_TYPE_ARGUMENTS = frozenset(",.?&|[]<>") | {"::", "extends", "super", "mut", "dyn", "readonly"}
_TAKES_TYPE_ARGUMENTS = frozenset({"java", "typescript", "tsx", "rust"})
_TYPE_ARGUMENTS_TOKENS_MAX: Final = 40


class Call(NamedTuple):
    """A call: a place for its order, after its arguments unless they hold statements, and what is called."""

    at: int
    value: Value


class Chain:
    """One chain while it is read: `at` is the token after it, `value` what it is worth so far, if anything is known."""

    __slots__ = ("at", "calls", "constructed", "value")

    def __init__(self, at: int, value: Value, *, constructed: bool) -> None:
        self.at = at
        self.value: Value | None = value
        self.constructed = constructed
        self.calls: list[Call] = []


class Chains:
    """Reads the chains of one file."""

    def __init__(self, tokens: Tokens, values: Values) -> None:
        self.tokens = tokens
        self.texts = tokens.texts
        self.values = values
        self.language = tokens.language
        self.brackets = Brackets(tokens.texts)
        self._ways: dict[str, Callable[[Chain, Value], bool]] = {
            **dict.fromkeys(DOTS, self._member),
            "(": self._call,
            "<": self._type_arguments,
            "{": self._literal,
            "?": self._question,
            "!": self._exclamation,
        }

    def read(self, at: int, value: Value) -> Chain:
        """Read the chain that begins with the name at a place, which stands for a value."""
        chain = Chain(at + 1, value, constructed=self._text(at - 1) == "new")
        while chain.value is not None and chain.at not in self.statement_starts:
            way = self._ways.get(self._text(chain.at))
            if way is None or not way(chain, chain.value):
                break
        return chain

    @cached_property
    def statement_starts(self) -> frozenset[int]:
        """The tokens that begin a statement, and so no chain goes on with."""
        return frozenset(self.tokens.starts)

    def _text(self, at: int) -> str:
        return self.texts[at] if 0 <= at < len(self.texts) else ""

    def _member(self, chain: Chain, value: Value) -> bool:
        at, name = chain.at + 1, self._text(chain.at + 1)
        if name in {"await", "(", "<"}:
            chain.at = at + (name == "await")
            return True
        if at >= len(self.texts) or self.tokens.roles[at] not in _NAMES:
            return False
        called = self._text(self._past_type_arguments(at + 1)) == "("
        chain.at, chain.value = at + 1, self.values.member(value, name, called=called)
        if chain.value is value and called:  # `unwrap()` and the like
            chain.at = (self.brackets.closing(self._past_type_arguments(at + 1)) or at) + 1
        elif chain.value is not None and not called and self.language == "elixir" and self._text(at + 1) != "/":
            chain.calls.append(Call(at, chain.value))
            chain.value = None
        return True

    def _call(self, chain: Chain, value: Value) -> bool:
        return self._called(chain, value, chain.at, constructed=chain.constructed)

    def _literal(self, chain: Chain, value: Value) -> bool:
        """Read `http.Client{…}`, which makes one; what follows `if` in Go is a block."""
        if self.language != "go" or chain.at in self._bodies or "." not in value.name:
            return False
        return self._called(chain, value, chain.at, constructed=True)

    def _called(self, chain: Chain, value: Value, opened_at: int, *, constructed: bool = False) -> bool:
        """Note a call whose arguments begin there; False when they never end, or a mere object is called."""
        ends_at = self.brackets.closing(opened_at)
        if ends_at is None or value.kind >= Kind.OBJECT:
            chain.value = None
            return False
        chain.calls.append(Call(opened_at if self._has_statements(opened_at, ends_at) else ends_at, value))
        chain.at, chain.constructed = ends_at + 1, False
        chain.value = self.values.returned(value, constructed=constructed)
        return True

    def _has_statements(self, start: int, end: int) -> bool:
        """Tell whether a block is among arguments: it runs after the call began."""
        starts = self.tokens.starts
        following = bisect_right(starts, start)
        return following < len(starts) and starts[following] < end

    @cached_property
    def _bodies(self) -> frozenset[int]:
        return frozenset(self.tokens.body_starts)

    def _question(self, chain: Chain, _value: Value) -> bool:
        chain.at += 1
        return self.language == "rust"

    def _exclamation(self, chain: Chain, value: Value) -> bool:
        """Read a macro of Rust, or the assertion that something is not null."""
        at = chain.at + 1
        if self.language == "rust" and self._text(at) in {"(", "[", "{"}:
            return self._called(chain, value, at)
        chain.at = at
        return self._text(at) in DOTS

    def _type_arguments(self, chain: Chain, _value: Value) -> bool:
        at = self._past_type_arguments(chain.at)
        went_on = at > chain.at
        chain.at = at
        return went_on

    def _past_type_arguments(self, at: int) -> int:
        """Return the place after `<…>` or `::<…>`, or the same place when there is none."""
        start = at + 1 if self._text(at) == "::" and self._text(at + 1) == "<" else at
        if self._text(start) != "<" or self.language not in _TAKES_TYPE_ARGUMENTS:
            return at
        depth = 0
        for place in range(start, min(start + _TYPE_ARGUMENTS_TOKENS_MAX, len(self.texts))):
            text = self.texts[place]
            depth += (text == "<") - (text == ">")
            if depth == 0:
                return place + 1
            if not _may_be_a_type(text, self.tokens.roles[place]):
                break
        return at


def _may_be_a_type(text: str, role: int) -> bool:
    return text in _WITHIN_TYPE_ARGUMENTS or role in _NAMES or text.isalpha() or text.startswith("'")


def calls_in_order(chains: Sequence[Chain]) -> list[Call]:
    """Return all calls in the order they are made."""
    return sorted((call for chain in chains for call in chain.calls), key=lambda call: call.at)
