"""How many of a repository's true idioms the lists of different evidence name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from heapq import nlargest
from typing import Final, NamedTuple

from msgspec import structs

from bench.heldout.fleet import Language
from bench.heldout.mined import count
from bench.heldout.splits import Split
from instance.learning.expectation import NOTHING, Evidence, FleetEvidence, rank
from instance.learning.selection import Candidate, score, select
from schemas.calibration import FACTORS, Calibration

PLACES: Final = (50, 200)
_CONSIDERED: Final = 1_000  # what comes after the best so many is hardly selected, and takes long to compare

LOCAL: Final = "own files"
FLEET: Final = "fleet"
BOTH: Final = "both"
UNWEIGHED: Final = "both, every factor 1"
OWN_WEIGHED: Final = "own files, fleet's factors"
KNOWN: Final = "the fleet has"
"""No list: the share of true idioms the fleet could name at all."""


class Recall(NamedTuple):
    """Share of the true idioms among as many places, for each number of `PLACES`."""

    few: float
    many: float


@dataclass(frozen=True)
class Knowledge:
    """What there is to rank by: files seen, patterns in them, what the fleet says, and its table."""

    seen: int
    evidence: list[Evidence]
    calibration: Calibration | None


def knowledge(
    language: Language, split: Split, heard: Mapping[bytes, FleetEvidence], calibration: Calibration | None
) -> Knowledge:
    """Gather evidence: patterns seen, and those unseen that the fleet may show."""
    counts = count(split.seen)
    unseen = (identity for identity, one in heard.items() if identity not in counts and language.shows(identity, one))
    evidence = [
        Evidence(language.idioms[identity], counts[identity], language.bits[identity], heard.get(identity, NOTHING))
        for identity in (*counts, *unseen)
    ]
    return Knowledge(len(split.seen), evidence, calibration)


def recalls(language: Language, split: Split, known: Knowledge) -> dict[str, Recall] | None:
    """Return the recall of each kind of evidence; None where the unseen files have no idioms."""
    true = _true_idioms(language, split)
    if not true:
        return None
    found = {name: _recall(true, listed(known)) for name, listed in LISTS.items()}
    of_fleet = {one.idiom.fingerprint for one in known.evidence if one.fleet.repositories}
    return found | {
        KNOWN: Recall(*(len(of_fleet.intersection(true[:places])) / min(places, len(true)) for places in PLACES))
    }


def _true_idioms(language: Language, split: Split) -> list[bytes]:
    """Select from the unseen files what shortens their description most, as an instance would that sees them."""
    counts = count(split.unseen)
    total = len(split.unseen)
    candidates = (Candidate(language.idioms[identity], files, files) for identity, files in counts.items() if files > 1)
    best = nlargest(
        _CONSIDERED, candidates, key=lambda one: (score(one.idiom, one.files, total), one.idiom.fingerprint)
    )
    return [one.idiom.fingerprint for one in select(best, total, limit=PLACES[-1])]


def _recall(true: list[bytes], listed: list[bytes]) -> Recall:
    shares = (len(set(true[:places]) & set(listed[:places])) / min(places, len(true)) for places in PLACES)
    return Recall(*shares)


def _ranked(evidence: list[Evidence], seen: int, calibration: Calibration | None) -> list[bytes]:
    return [one.evidence.idiom.fingerprint for one in rank(evidence, seen, calibration, limit=PLACES[-1])]


def _by_own_files(known: Knowledge) -> list[bytes]:
    return _ranked(known.evidence, known.seen, None)


def _by_fleet(known: Knowledge) -> list[bytes]:
    return _ranked([one._replace(files=0) for one in known.evidence], 0, known.calibration)


def _by_both(known: Knowledge) -> list[bytes]:
    return _ranked(known.evidence, known.seen, known.calibration)


def _by_both_unweighed(known: Knowledge) -> list[bytes]:
    if known.calibration is None:
        return []
    return _by_both(replace(known, calibration=structs.replace(known.calibration, factors=(1.0,) * FACTORS)))


def _by_own_files_weighed(known: Knowledge) -> list[bytes]:
    return _ranked([one._replace(fleet=NOTHING) for one in known.evidence], known.seen, known.calibration)


LISTS: Final[Mapping[str, Callable[[Knowledge], list[bytes]]]] = {
    LOCAL: _by_own_files,
    FLEET: _by_fleet,
    BOTH: _by_both,
    OWN_WEIGHED: _by_own_files_weighed,
    UNWEIGHED: _by_both_unweighed,
}
