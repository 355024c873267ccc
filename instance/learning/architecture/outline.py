"""What one file says about the architecture it is part of: what it needs, what it declares, what habits it shows."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct


class Reach(IntEnum):
    """When a file needs another; the smaller, the stronger."""

    LOAD = 0  # as soon as it is loaded
    LATER = 1  # inside a function, or by a dynamic import
    TYPES = 2  # for types alone: gone at run time
    HOLDS = 3  # only to contain it, as Rust's `mod x;`


class Need(Struct, frozen=True, array_like=True):
    """One module a file names, as it writes it, and the names it takes from there."""

    module: str
    names: tuple[str, ...] = ()
    reach: int = Reach.LOAD


class Outline(Struct, frozen=True, array_like=True):
    """One file: what it needs from elsewhere, the modules it declares, and counts of small habits by name."""

    needs: tuple[Need, ...] = ()
    declares: tuple[str, ...] = ()
    counts: dict[str, int] = {}
