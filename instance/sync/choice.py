"""Which code patterns are worth saying: the most informative of each language, and whatever was said before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nlargest
from math import inf

from instance.learning.idioms import Idiom
from instance.learning.selection import score
from instance.store.observations import CODE, Known


@dataclass(frozen=True)
class Limits:
    """What is worth saying at all."""

    files_min: int
    patterns_max: int
    """Per repository and language."""


@dataclass
class Choice:
    """What was chosen; `bars` are the lowest scores among it by language, `-inf` where there was room for more."""

    patterns: list[Known]
    bars: Mapping[str, float]


def choose(known: Iterable[Known], files_total: int, limits: Limits) -> Choice:
    """Choose among all patterns of a repository.

    Nothing is left out for being part of another pattern: two instances would leave out different ones, and what
    they have in common would never meet. What is no code pattern is always chosen.
    """
    chosen: list[Known] = []
    bars: dict[str, float] = {}
    by_language: dict[str, list[Known]] = {}
    for pattern in known:
        if pattern.kind == CODE:
            by_language.setdefault(pattern.language, []).append(pattern)
        else:
            chosen.append(pattern)
    for language, patterns in by_language.items():
        scored = [(_score(pattern, files_total), pattern.fingerprint, pattern) for pattern in patterns]
        best = nlargest(limits.patterns_max, scored, key=lambda one: one[:2])
        bars[language] = best[-1][0] if len(best) == limits.patterns_max else -inf
        of_language = {fingerprint: pattern for _, fingerprint, pattern in best}
        of_language |= {pattern.fingerprint: pattern for pattern in patterns if _stands(pattern)}
        chosen += of_language.values()
    return Choice(chosen, bars)


def choose_among(touched: Iterable[Known], files_total: int, bars: Mapping[str, float]) -> Choice:
    """Choose among patterns that changed, by the bars of the last choice among all."""
    chosen = [
        pattern
        for pattern in touched
        if pattern.kind != CODE or _stands(pattern) or _score(pattern, files_total) >= bars.get(pattern.language, -inf)
    ]
    return Choice(chosen, bars)


def idiom_of(pattern: Known) -> Idiom:
    """A code pattern as the learning takes it."""
    identity = bytes.fromhex(pattern.fingerprint)
    return Idiom(identity, pattern.language, pattern.view, pattern.template, pattern.names, pattern.tokens, 0)


def _stands(pattern: Known) -> bool:
    return pattern.version > 0 and not pattern.forgotten


def _score(pattern: Known, files_total: int) -> float:
    return score(idiom_of(pattern), pattern.files, files_total)
