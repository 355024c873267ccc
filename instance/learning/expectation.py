"""Which patterns a repository will meet again: its own evidence and the fleet's, weighed by what came true elsewhere.

A pattern seen in one file of twenty is seldom in five percent of the next files, and one that many other repositories
have often is, unseen. By how much, centralcloud finds out from all repositories and says as a table of factors; without
it the repository's own evidence ranks better alone, so then that is what counts: patterns that pay in the files seen,
then those that would if it went on like this.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest
from typing import Final, NamedTuple

from instance.learning.idioms import Idiom
from instance.learning.selection import Candidate, score, select
from schemas.calibration import Calibration, foretold

HORIZON_FILES: Final = 10_000
"""A pattern is worth knowing if it saves more than it costs within so many further files."""

_CONSIDERED: Final = 5  # for each place: the redundant ones among the best leave enough others


class FleetEvidence(NamedTuple):
    """What the fleet says of one pattern; with fewer than two repositories it says nothing."""

    repositories: int
    """Other repositories that have it."""
    mean_rate: float
    """Share of their files that show it, as a mean over all other repositories of the language."""


NOTHING: Final = FleetEvidence(0, 0.0)


class Evidence(NamedTuple):
    """A pattern, the files here that show it (0: only others have it), and what it tells in bits."""

    idiom: Idiom
    files: int
    bits: float
    fleet: FleetEvidence = NOTHING


class Expectation(NamedTuple):
    """What to expect of a pattern: the share of further files that will show it."""

    evidence: Evidence
    rate: float

    def files_expected(self, further_files: int) -> float:
        """Return in how many of so many further files it is expected."""
        return self.rate * further_files


def elsewhere(repositories: int, mean_rate: float, *, fleet: int, files: int, seen: int) -> FleetEvidence:
    """Take this repository, which said `files` of `seen` files, out of what is said of a fleet of so many.

    Counted among the others as well, its own evidence would weigh twice. `files` is 0 for what it has not said.
    """
    own_rate = files / max(seen, 1)
    rate = max(0.0, (mean_rate * fleet - own_rate) / max(fleet - 1, 1))
    return _heard(FleetEvidence(repositories - (files > 0), rate))


def expected_rate(evidence: Evidence, seen: int, calibration: Calibration | None) -> float:
    """Return the share of further files expected to show a pattern, when so many files were seen."""
    if calibration is None or not calibration.readable:
        return evidence.files / max(seen, 1)
    repositories, mean_rate = _heard(evidence.fleet)
    factor = calibration.factor(seen, evidence.files, repositories, evidence.bits)
    return min(1.0, foretold(seen, evidence.files, mean_rate) * factor)


def rank(
    evidence: Iterable[Evidence], seen: int, calibration: Calibration | None = None, *, limit: int
) -> list[Expectation]:
    """Return what will save most description in further files, best first, redundant patterns left out."""
    by_identity = {one.idiom.fingerprint: one for one in evidence}
    rates = {identity: expected_rate(one, seen, calibration) for identity, one in by_identity.items()}
    further = ((by_identity[identity].idiom, round(rate * HORIZON_FILES)) for identity, rate in rates.items())
    chosen = _best(further, HORIZON_FILES, limit)
    if calibration is None or not calibration.readable:
        paying = _best(((one.idiom, one.files) for one in by_identity.values()), seen, limit)
        chosen = list(dict.fromkeys([*paying, *chosen]))[:limit]
    return [Expectation(by_identity[identity], rates[identity]) for identity in chosen]


def _best(files_of: Iterable[tuple[Idiom, int]], files_total: int, limit: int) -> list[bytes]:
    """Select the best patterns that show in so many of the files."""
    candidates = (Candidate(idiom, files, files) for idiom, files in files_of if files)
    best = nlargest(_CONSIDERED * limit, candidates, key=lambda one: _order(one, files_total))
    return [one.idiom.fingerprint for one in select(best, files_total, limit=limit, min_files=1)]


def _order(candidate: Candidate, files_total: int) -> tuple[float, bytes]:
    return score(candidate.idiom, candidate.files, files_total), candidate.idiom.fingerprint


def _heard(fleet: FleetEvidence) -> FleetEvidence:
    """Hear the fleet only where it is more than one: a single repository's habit is its own."""
    return fleet if fleet.repositories >= 2 else NOTHING  # noqa: PLR2004 - more than one
