"""A parsed file as flat lists: what parsing returns and mining reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

NOWHERE = -1


class Definition(NamedTuple):
    """A function, method or class: its bytes in the file, and its tokens from `first_token` up to `end_token`."""

    kind: str
    name: str
    start_byte: int
    end_byte: int
    first_token: int
    end_token: int


@dataclass(slots=True)
class Tokens:
    """One file; a token is an index into `texts`, `roles` and `scopes`.

    Statement `s` spans tokens `starts[s]` to `ends[s]` and lies in body `homes[s]`. Body `b` belongs to statement
    `owners[b]` (-1: the file) and spans `body_starts[b]` to `body_ends[b]`, its brackets included. `bound[scope]` are
    the names a scope binds; scope 0 is the file, `scope_parents` leads outwards from the others. `definitions`
    stand in the order of their starts, so that what is around comes first.
    """

    language: str
    texts: list[str] = field(default_factory=list)
    roles: bytearray = field(default_factory=bytearray)
    scopes: list[int] = field(default_factory=list)
    scope_parents: list[int] = field(default_factory=lambda: [NOWHERE])
    bound: list[set[str]] = field(default_factory=lambda: [set()])
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    homes: list[int] = field(default_factory=list)
    whole: bytearray = field(default_factory=bytearray)  # 0: something in it could not be read
    owners: list[int] = field(default_factory=list)
    body_starts: list[int] = field(default_factory=list)
    body_ends: list[int] = field(default_factory=list)
    imports: list[tuple[int, int]] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Count something of this file that was not studied."""
        self.left_out[reason] = self.left_out.get(reason, 0) + count

    def is_bound(self, name: str, scope: int) -> bool:
        """Tell whether the file itself binds `name` in this scope or one around it."""
        while scope != NOWHERE:
            if name in self.bound[scope]:
                return True
            scope = self.scope_parents[scope]
        return False

    def is_bound_inside(self, name: str, scope: int) -> bool:
        """Tell whether a function around this scope binds `name`, hiding what the file imports."""
        while scope > 0:
            if name in self.bound[scope]:
                return True
            scope = self.scope_parents[scope]
        return False
