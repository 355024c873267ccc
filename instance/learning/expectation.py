"""Which patterns a repository will meet again: its own evidence and the fleet's, weighed by what came true elsewhere.

A pattern seen in one file of twenty is seldom in five percent of the next files, and one that many other repositories
have often is, unseen. By how much, centralcloud finds out from all repositories and says as a table of factors; without
it the repository's own evidence ranks better alone, so then that is what counts: patterns that pay in the files seen,
then those that would if it went on like this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from heapq import nlargest
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from instance.learning.idioms import Idiom
from instance.learning.selection import BITS_MAX, Candidate, score, select
from schemas.calibration import Calibration, foretold

FURTHER_FILES: Final = 100
"""With a table, patterns are ranked by what they will save in so many files that are yet to be written."""
FUTURES: Final = 16
"""So many ways those further files may turn out."""
HORIZON_FILES: Final = 10_000
"""Without a table, patterns that do not pay in the files seen follow by what they save if it goes on like this."""

_CONSIDERED: Final = 2  # for each place: the redundant ones among the best leave enough others
_LIKELY_MAX: Final = 1_500
_LISTED_MIN: Final = 200  # short lists are the beginnings of long ones
_RANK_OFFSET: Final = 20


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
    distinct = {one.idiom.fingerprint: one for one in evidence}
    rates = {identity: expected_rate(distinct[identity], seen, calibration) for identity in sorted(distinct)}
    if calibration is None or not calibration.readable:
        chosen = _by_own_files(distinct, rates, seen, limit)
    else:
        chosen = _by_futures(distinct, rates, seen, limit)
    return [Expectation(distinct[identity], rates[identity]) for identity in chosen]


def _by_own_files(
    evidence: Mapping[bytes, Evidence], rates: Mapping[bytes, float], seen: int, limit: int
) -> list[bytes]:
    paying = _best(((one.idiom, one.files) for one in evidence.values()), seen, limit)
    if len(paying) == limit:
        return paying
    further = ((evidence[identity].idiom, round(rate * HORIZON_FILES)) for identity, rate in rates.items())
    return list(dict.fromkeys([*paying, *_best(further, HORIZON_FILES, limit)]))[:limit]


def _by_futures(evidence: Mapping[bytes, Evidence], rates: Mapping[bytes, float], seen: int, limit: int) -> list[bytes]:
    """Let the selection choose from many futures, and put first what it puts first in most of them.

    What is worth choosing depends on which other patterns turn up how often, so no single guess of it will do. The
    lists are joined by reciprocal ranks (Cormack, Clarke, Buettcher, SIGIR 2009).

    What comes is partly new files and partly those seen, changed, which show what they showed. In some of the futures
    the files seen stay beside the new ones, in the others there are only new ones: as many in so many as if work fell
    on each file alike. The more was seen here, the less can be outweighed by what others do.
    """
    shown = {identity: evidence[identity].files + rate * FURTHER_FILES for identity, rate in rates.items()}
    likely = nlargest(_LIKELY_MAX, shown, key=lambda identity: shown[identity] * min(evidence[identity].bits, BITS_MAX))
    idioms = [evidence[identity].idiom for identity in likely]
    files = _further(np.array([rates[identity] for identity in likely]))
    staying = round(FUTURES * seen / (seen + FURTHER_FILES))
    files[:, :staying] += np.array([evidence[identity].files for identity in likely], dtype=np.int64)[:, None]
    standing: defaultdict[bytes, float] = defaultdict(float)
    for number, future in enumerate(files.T.tolist()):
        several = ((idiom, count) for idiom, count in zip(idioms, future, strict=True) if count > 1)
        files_total = FURTHER_FILES + seen * (number < staying)
        for ahead, identity in enumerate(_best(several, files_total, max(limit, _LISTED_MIN))):
            standing[identity] += 1 / (_RANK_OFFSET + ahead)
    return sorted(standing, key=lambda identity: (-standing[identity], identity))[:limit]


def _further(rates: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw in how many further files patterns turn up: (patterns, futures).

    Each number is Poisson with the rate as its mean, and drawn once from every `1 / FUTURES` of its distribution, in
    an order of its own: so few futures are as good as many. The same rates in the same order give the same draws.
    """
    generator = np.random.default_rng(0)
    shape = (len(rates), FUTURES)
    strata = np.argsort(generator.random(shape), axis=1)
    wanted = (strata + generator.random(shape)) / FUTURES
    means = rates[:, None] * FURTHER_FILES
    files = np.zeros(shape, dtype=np.int64)
    chance = np.exp(-means)
    reached = np.broadcast_to(chance, shape)
    for count in range(1, FURTHER_FILES + 1):
        files += wanted > reached
        chance = chance * means / count
        reached = reached + chance
    return files


def _best(files_of: Iterable[tuple[Idiom, int]], files_total: int, limit: int) -> list[bytes]:
    """Select the best patterns that show in so many of the files."""
    candidates = (Candidate(idiom, files, files) for idiom, files in files_of if files)
    room = _CONSIDERED * max(limit, _LISTED_MIN)
    best = nlargest(room, candidates, key=lambda one: _order(one, files_total))
    return [one.idiom.fingerprint for one in select(best, files_total, limit=limit, min_files=1)]


def _order(candidate: Candidate, files_total: int) -> tuple[float, bytes]:
    return score(candidate.idiom, candidate.files, files_total), candidate.idiom.fingerprint


def _heard(fleet: FleetEvidence) -> FleetEvidence:
    """Hear the fleet only where it is more than one: a single repository's habit is its own."""
    return fleet if fleet.repositories >= 2 else NOTHING  # noqa: PLR2004 - more than one
