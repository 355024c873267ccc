"""How sure several pieces of evidence make us that a framework is in use."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from math import prod
from typing import Final, NamedTuple

from instance.learning.technology.dependency import Scope

_FEW_FILES: Final = 3
_SMALL_SHARE: Final = 0.05


class Kind(StrEnum):
    """What kind of thing speaks for a framework."""

    RUNTIME = "dependency:runtime"
    PEER = "dependency:peer"
    OPTIONAL = "dependency:optional"
    BUILD = "dependency:build"
    DEV = "dependency:dev"
    INDIRECT = "dependency:indirect"
    FILE = "file"
    SETTING = "setting"
    WIDE_IMPORT = "import:wide"
    NARROW_IMPORT = "import:narrow"
    TEST_IMPORT = "import:tests"

    @classmethod
    def of_scope(cls, scope: Scope) -> Kind:
        """Return the kind of a dependency."""
        return cls(f"dependency:{scope}")


class Evidence(NamedTuple):
    """One kind of evidence and of how many packages, files or settings."""

    kind: Kind
    times: int


# How often each kind was right where nothing else spoke for a framework, on the trees of bench/frameworks.toml,
# a doubtful label counted as half, rounded to 0.05. Seen alone fewer than three times, and so a cautious guess: PEER,
# OPTIONAL, BUILD and WIDE_IMPORT for parts, OPTIONAL, PEER and WIDE_IMPORT for tools.
_FOR_PARTS: Final = {
    Kind.RUNTIME: 0.95,
    Kind.PEER: 0.8,
    Kind.OPTIONAL: 0.4,
    Kind.BUILD: 0.4,
    Kind.DEV: 0.45,
    Kind.INDIRECT: 0.0,
    Kind.FILE: 0.95,
    Kind.SETTING: 0.95,
    Kind.WIDE_IMPORT: 0.7,
    Kind.NARROW_IMPORT: 0.25,
    Kind.TEST_IMPORT: 0.0,
}
_FOR_TOOLS: Final = _FOR_PARTS | {
    Kind.RUNTIME: 0.9,
    Kind.BUILD: 0.9,
    Kind.DEV: 0.95,
    Kind.NARROW_IMPORT: 0.5,
    Kind.TEST_IMPORT: 0.75,
}


_BESIDE: Final = frozenset({Kind.OPTIONAL, Kind.DEV})


def confidence(evidence: Iterable[Evidence], *, is_tool: bool) -> float:
    """Return how sure we are, from 0 to 1: the pieces are taken as independent.

    But for one pair: an optional or a dev dependency and the corner of a codebase that imports it are the same fact.
    """
    weights = _FOR_TOOLS if is_tool else _FOR_PARTS
    kinds = {each.kind for each in evidence}
    if not (is_tool or kinds.isdisjoint(_BESIDE)):
        kinds.discard(Kind.NARROW_IMPORT)
    return round(1 - prod(1 - weights[kind] for kind in kinds), 3)


def import_kind(importing: int, files: int) -> Kind:
    """Tell a framework that is imported all over a codebase from one that a corner of it uses."""
    is_narrow = importing < _FEW_FILES or importing < _SMALL_SHARE * files
    return Kind.NARROW_IMPORT if is_narrow else Kind.WIDE_IMPORT
