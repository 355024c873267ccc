"""How far evidence can be trusted: factors fitted from counts alone, without a line of anybody's code.

Every repository in turn is foretold from a part of its files and the rest of the fleet, then compared with what it has.
Nothing is drawn by chance: in how many of n files a pattern of f files out of F shows is hypergeometric, so each count
stands for all ways to see a part of the files at once, and the same counts give the same factors in any order.

The ratio of what came true to what was foretold is shrunk from the finer to the coarser kind of evidence, as in
empirical Bayes estimation: a kind met seldom borrows from its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.calibration import (
    BITS_EDGES,
    FILES_EDGES,
    LIKE_FILES,
    REPOSITORIES_EDGES,
    SEEN_EDGES,
    SHAPE,
    Calibration,
)

SHARES_SEEN: Final = (0.0, 0.05, 0.2, 0.5)
FILES_MIN: Final = 10
"""A repository with fewer files foretells nothing."""
FILES_MAX: Final = 50_000
"""Nor does one that says it has more: what is foretold takes memory by the file, some 15 MB for so many."""
REPOSITORIES_MIN: Final = 3
"""One to foretell, and two that say the same of a pattern."""
ALL_LANGUAGES: Final = ""

_DECIMALS: Final = 4
_COARSE, _FINE = 30.0, 60.0  # pseudo-samples: how many a kind of evidence must have to count as much as its neighbours
_KINDS: Final = SHAPE[2] * SHAPE[3]
_NEIGHBOURS: Final = 3.0
_POWER: Final = log(2.0) / log(1.5)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """One repository in one language: its files, and by fingerprint those that show a pattern."""

    repository: str
    files_total: int
    files: Mapping[str, int]


@dataclass(frozen=True)
class Outcome:
    """What was foretold and what came true, and for how many patterns, by kind of evidence; can be added up."""

    foretold: Floats
    came_true: Floats
    samples: Floats
    repositories: int

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.foretold + other.foretold,
            self.came_true + other.came_true,
            self.samples + other.samples,
            self.repositories + other.repositories,
        )


def fit(fleet: Mapping[str, Iterable[Counts]], bits: Mapping[str, float]) -> list[Calibration]:
    """Fit a table for each language, and one for all; none where there are too few repositories.

    `bits` is what the template of each fingerprint tells. Forty repositories of 20,000 patterns take two seconds.
    """
    outcomes = {language: outcome(counts, bits) for language, counts in sorted(fleet.items())}
    return conclude({language: one for language, one in outcomes.items() if one is not None})


def conclude(outcomes: Mapping[str, Outcome]) -> list[Calibration]:
    """Turn the outcomes by language into tables: each leans on all languages together where its own are few."""
    if not outcomes:
        return []
    languages = sorted(outcomes)
    whole = sum((outcomes[language] for language in languages[1:]), start=outcomes[languages[0]])
    common = _shrunk(whole)
    tables = [_table(ALL_LANGUAGES, common, whole)]
    for language in languages:
        one = outcomes[language]
        tables.append(_table(language, _leaning(one, (), common, _FINE), one))
    return tables


def outcome(counts: Iterable[Counts], bits: Mapping[str, float]) -> Outcome | None:
    """Foretell each repository of one language from the others; None when they are too few."""
    usable = sorted(
        (one for one in counts if FILES_MIN <= one.files_total <= FILES_MAX), key=lambda one: one.repository
    )
    if len(usable) < REPOSITORIES_MIN:
        return None
    fleet = _Fleet(usable, bits)
    spectra = [fleet.spectrum(number) for number in range(len(usable))]
    _add_singles(spectra)
    sums = np.zeros((3, *SHAPE))
    for one, spectrum in zip(usable, spectra, strict=True):
        for share in SHARES_SEEN:
            seen = max(1, round(share * one.files_total)) if share else 0
            sums[:, np.searchsorted(SEEN_EDGES, seen, side="right")] += _foretell(spectrum, one.files_total, seen)
    sums[:, :, 0, 0] = 0.0  # neither seen here nor heard of from elsewhere: nothing is foretold
    return Outcome(sums[0], sums[1], sums[2], len(usable))


@dataclass(frozen=True)
class _Spectrum:
    """How many patterns a repository has in so many files (row), by repositories and bits (column).

    `rates` sums what the other repositories say of the same patterns.
    """

    patterns: Floats
    rates: Floats


class _Fleet:
    """The repositories of one language side by side."""

    def __init__(self, counts: Sequence[Counts], bits: Mapping[str, float]) -> None:
        identities = sorted({identity for one in counts for identity in one.files})
        number_of = {identity: number for number, identity in enumerate(identities)}
        told = np.array([bits.get(identity, 0.0) for identity in identities])
        self._columns: Ints = np.searchsorted(BITS_EDGES, told, side="right")
        self._held = [_held(one, number_of) for one in counts]
        self._totals = [one.files_total for one in counts]
        self._repositories = np.zeros(len(identities), dtype=np.int64)
        self._rates = np.zeros(len(identities))
        for (patterns, files), total in zip(self._held, self._totals, strict=True):
            self._repositories[patterns] += 1
            self._rates[patterns] += files / total

    def spectrum(self, number: int) -> _Spectrum:
        """Count the patterns of one repository, and those only others have, by what the others say of them."""
        patterns, held_files = self._held[number]
        files = np.zeros(len(self._rates), dtype=np.int64)
        files[patterns] = held_files
        others = self._repositories - (files > 0)
        rates = np.maximum(0.0, self._rates - files / self._totals[number]) / (len(self._held) - 1)
        heard = others >= 2  # noqa: PLR2004 - one repository's habit is its own
        relevant = heard | (files > 0)
        column = np.searchsorted(REPOSITORIES_EDGES, others, side="right") * SHAPE[3] + self._columns
        cell = (files * _KINDS + column)[relevant]
        rows = max(int(files.max(initial=0)), 3) + 1
        told = np.where(heard, rates, 0.0)[relevant]
        return _Spectrum(_summed(cell, np.ones(len(cell)), rows), _summed(cell, told, rows))


def _summed(cells: Ints, values: Floats, rows: int) -> Floats:
    sums = np.bincount(cells, values, rows * _KINDS)
    return np.asarray(sums, np.float64).reshape(rows, _KINDS)


def _held(one: Counts, number_of: Mapping[str, int]) -> tuple[Ints, Ints]:
    """Return the numbers of a repository's patterns, and the files with each."""
    numbers = np.fromiter((number_of[identity] for identity in one.files), np.int64, len(one.files))
    files = np.fromiter(one.files.values(), np.int64, len(one.files))
    return numbers, np.minimum(files, one.files_total)


def _add_singles(spectra: Sequence[_Spectrum]) -> None:
    """Complete what instances leave unsaid: patterns in one file only, of which there are the most.

    Their number follows from those in two and three files, as such counts fall by a power of the number of files.
    """
    twice, thrice = (sum(spectrum.patterns[files] for spectrum in spectra) for files in (2, 3))
    rows = (SHAPE[2], SHAPE[3])
    twice, thrice = np.reshape(twice, rows), np.reshape(thrice, rows)
    usual = (twice.sum(1, keepdims=True) + 1) / (thrice.sum(1, keepdims=True) + 1)
    ratio = (((twice + _NEIGHBOURS * usual) / (thrice + _NEIGHBOURS)) ** _POWER).ravel()
    for spectrum in spectra:
        if not spectrum.patterns[1].any():
            for counted in (spectrum.patterns, spectrum.rates):
                counted[1] = counted[2] * ratio
                counted[0] = np.maximum(0.0, counted[0] - counted[1])


def _foretell(spectrum: _Spectrum, total: int, seen: int) -> Floats:
    """Return what is foretold and comes true in the unseen files, and the patterns: (3, files, repositories, bits)."""
    files = np.flatnonzero(spectrum.patterns.any(axis=1))
    patterns, rates = spectrum.patterns[files].T, spectrum.rates[files].T
    chance, shown = _ways_to_see(files, total, seen)
    foretold = (patterns @ shown + LIKE_FILES * (rates @ chance)) / (seen + LIKE_FILES)
    came_true = patterns @ (files[:, None] * chance - shown) / (total - seen)
    sums = np.stack([foretold, came_true, patterns @ chance])
    return np.moveaxis(sums, 2, 1).reshape(3, SHAPE[1], SHAPE[2], SHAPE[3])


def _ways_to_see(files: Ints, total: int, seen: int) -> tuple[Floats, Floats]:
    """Return for each pattern the chance to show in so many of the files seen, and that number times its chance.

    By bucket of files with the pattern; what lies beyond the last edge is what is left.
    """
    shown = np.arange(FILES_EDGES[-1])
    logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, total + 1)))))
    possible = (shown <= files[:, None]) & (shown <= seen) & (seen - shown <= total - files[:, None])
    rest, rest_seen = (total - files)[:, None], np.maximum(seen - shown, 0)
    chance = _log_choices(logs, files[:, None], shown) + _log_choices(logs, rest, rest_seen)
    chance = np.where(possible, np.exp(chance - (logs[total] - logs[seen] - logs[total - seen])), 0.0)
    starts = [0, *FILES_EDGES[:-1]]
    below = np.add.reduceat(chance, starts, axis=1), np.add.reduceat(chance * shown, starts, axis=1)
    whole = np.ones(len(files)), files * (seen / total)
    left = (np.maximum(0.0, every - some.sum(1)) for every, some in zip(whole, below, strict=True))
    chances, numbers = (np.column_stack(both) for both in zip(below, left, strict=True))
    return chances, numbers


def _log_choices(logs: Floats, of: Ints, take: Ints) -> Floats:
    """Return log(of! / (take! (of - take)!)); meaningless where `take` exceeds `of`."""
    chosen: Floats = logs[of] - logs[np.minimum(take, of)] - logs[np.maximum(of - take, 0)]
    return chosen


def _shrunk(one: Outcome) -> Floats:
    """Return factors from the coarsest kind of evidence to the finest, each leaning on the one before."""
    factors = np.ones((1, 1, 1, 1))
    for axes, strength in (((0, 2, 3), _COARSE), ((0, 3), _COARSE), ((0,), _FINE), ((), _FINE)):
        factors = _leaning(one, axes, factors, strength)
    return factors


def _leaning(one: Outcome, axes: tuple[int, ...], prior: Floats, strength: float) -> Floats:
    """Return what came true over what was foretold, summed over axes, with `strength` samples that obey the prior."""
    foretold, came_true, samples = (
        np.sum(part, axis=axes, keepdims=True) for part in (one.foretold, one.came_true, one.samples)
    )
    lent = strength * np.divide(foretold, samples, out=np.ones_like(foretold), where=(samples > 0) & (foretold > 0))
    factors: Floats = (came_true + prior * lent) / (foretold + lent)
    return factors


def _table(language: str, factors: Floats, one: Outcome) -> Calibration:
    rounded = np.broadcast_to(factors, SHAPE).ravel().round(_DECIMALS).tolist()
    return Calibration(language=language, factors=tuple(rounded), repositories=one.repositories)
