"""One decision about how a codebase is built: its public name, and how sure we are of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from schemas.fingerprint import fingerprint

VIEW: Final = "architecture"
ANY: Final = "any"
"""The language of what holds for a repository as a whole."""
HABIT_LEAST: Final = 0.9
"""From this lower bound of its share on, a habit is a convention."""
_EXACT_MAX = 10
_STEPS_PER_DECADE = 10
_Z = 1.645  # one-sided 95 %


class ArchitecturePattern(NamedTuple):
    """What a repository shows, in the field's terms; nothing in it names anything of the repository.

    `evidence` is how many files or modules speak for it, `measures` are numbers by public name. Both are coarse, so
    that a small change of the code leaves them as they are. `confidence` is 0 to 1: 1 for what a path or a manifest
    states, else the lower bound (Wilson, one-sided 95 %) of the share that agrees, as the description says.
    """

    name: str
    fingerprint: bytes
    evidence: int
    description: str
    language: str = ANY
    confidence: float = 1.0
    measures: Mapping[str, float] = MappingProxyType({})

    @property
    def identity(self) -> str:
        """What its fingerprint stands for: two languages may differ in the same decision."""
        return identity(self.name, self.language)


def identity(name: str, language: str) -> str:
    """Return the text a pattern's fingerprint is made of."""
    return name if language == ANY else f"{name} {language}"


def pattern(
    name: str,
    evidence: int,
    description: str,
    *,
    language: str = ANY,
    confidence: float = 1.0,
    measures: Mapping[str, float] | None = None,
) -> ArchitecturePattern:
    """Make a pattern, its numbers coarse."""
    return ArchitecturePattern(
        name,
        fingerprint(ANY, VIEW, identity(name, language)),
        coarse(evidence),
        description,
        language,
        coarse_share(confidence),
        dict(measures or {}),
    )


def coarse(count: int) -> int:
    """Round a count to ten steps a decade; up to ten it stays exact."""
    if count <= _EXACT_MAX:
        return count
    step: float = 10 ** (round(math.log10(count) * _STEPS_PER_DECADE) / _STEPS_PER_DECADE)
    digits = 1 - math.floor(math.log10(step))
    return int(round(step, digits))


def coarse_share(share: float) -> float:
    """Round a share to twentieths; what is almost none or almost all never becomes none or all."""
    rounded = round(share * 20) / 20
    if rounded in (0, 1) and share != rounded:
        return abs(rounded - 0.01)
    return rounded


def lower_bound(agreeing: int, total: int) -> float:
    """Return the lower bound of a share (Wilson 1927, one-sided 95 %); 0 of nothing."""
    if total <= 0:
        return 0.0
    share, square = agreeing / total, _Z * _Z / total
    spread = _Z * math.sqrt(share * (1 - share) / total + square / (4 * total))
    return max(0.0, (share + square / 2 - spread) / (1 + square))
