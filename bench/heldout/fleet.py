"""What one repository hears of the others: counts that would cross the wire, and a table fitted from them.

As by default, each says its patterns of at least two files, the 5,000 most informative ones. Every repository stands
for an instance of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nlargest
from types import MappingProxyType
from typing import Final

from bench.heldout.mined import Repository, count
from centralcloud.learning.calibration import ALL_LANGUAGES, Counts, Outcome, conclude, outcome
from instance.config import InstanceSettings
from instance.learning.expectation import FleetEvidence
from instance.learning.idioms import Idiom
from instance.learning.selection import score
from instance.store.observations import CODE, Known
from instance.sync.gate import INSTANCES_MIN, Gate
from schemas.calibration import Calibration

HEARD_MIN: Final = 2
"""Repositories that must have a pattern before the others hear of it."""

_DEFAULTS: Final = InstanceSettings(nats_url="nats://nowhere")
_FILES_MIN, _PATTERNS_MAX = _DEFAULTS.pattern_files_min, _DEFAULTS.patterns_shared_max
_AS_SAID: Final[Mapping[str, int]] = MappingProxyType({})
_GATE: Final = Gate(_DEFAULTS.sharing, {}, frozenset())


@dataclass
class Said:
    """What one repository says: of so many files, those with each pattern."""

    name: str
    files_total: int
    files: dict[bytes, int]


class Language:
    """All repositories of one language."""

    def __init__(self, name: str, repositories: Sequence[Repository]) -> None:
        self.name = name
        self.repositories = repositories
        self.said = [_say(one) for one in repositories]
        self.idioms: dict[bytes, Idiom] = {}
        self.bits: dict[bytes, float] = {}
        self._public: dict[bytes, bool] = {}
        for one in repositories:
            self.idioms |= one.idioms
            self.bits |= one.bits

    def heard(self, without: int | None = None, totals: Mapping[str, int] = _AS_SAID) -> dict[bytes, FleetEvidence]:
        """What the fleet says of each pattern that several of the other repositories have."""
        others = [one for number, one in enumerate(self.said) if number != without]
        repositories = Counter(identity for one in others for identity in one.files)
        rates: Counter[bytes] = Counter()
        for one in others:
            total = totals.get(one.name, one.files_total)
            rates.update({identity: files / total for identity, files in one.files.items()})
        return {
            identity: FleetEvidence(holders, rates[identity] / len(others))
            for identity, holders in repositories.items()
            if holders >= HEARD_MIN
        }

    def outcome(self, without: int | None = None) -> Outcome | None:
        """How well the others are foretold from one another."""
        others = [one for number, one in enumerate(self.said) if number != without]
        return outcome([Counts(one.name, one.files_total, _hex(one.files)) for one in others], self._told)

    def shows(self, identity: bytes, heard: FleetEvidence) -> bool:
        """Whether the fleet may show the template: all names are public, or three instances have it."""
        return heard.repositories >= INSTANCES_MIN or self._is_public(identity)

    @cached_property
    def _told(self) -> dict[str, float]:
        return {identity.hex(): told for identity, told in self.bits.items()}

    def _is_public(self, identity: bytes) -> bool:
        known = self._public.get(identity)
        if known is None:
            known = self._public[identity] = _GATE.lets_words_out(_known(self.idioms[identity]))
        return known


def table(language: Language, without: int, others: Iterable[tuple[str, Outcome]]) -> Calibration | None:
    """Fit the table a repository gets, from all repositories but itself; `others` are those of other languages."""
    outcomes = dict(others)
    own = language.outcome(without)
    if own is not None:
        outcomes[language.name] = own
    tables = {one.language: one for one in conclude(outcomes)}
    return tables.get(language.name, tables.get(ALL_LANGUAGES))


def _say(repository: Repository) -> Said:
    total = len(repository.files)
    shared = [(identity, files) for identity, files in count(repository.files).items() if files >= _FILES_MIN]
    scored = ((score(repository.idioms[identity], files, total), identity, files) for identity, files in shared)
    best = nlargest(_PATTERNS_MAX, scored)
    return Said(repository.name, total, {identity: files for _, identity, files in best})


def _hex(files: dict[bytes, int]) -> dict[str, int]:
    return {identity.hex(): number for identity, number in files.items()}


def _known(idiom: Idiom) -> Known:
    return Known(
        idiom.fingerprint.hex(), CODE, idiom.language, idiom.view, idiom.template, idiom.names, idiom.tokens,
        files=0, occurrences=0, version=0, said_files=0, said_occurrences=0, template_shared=False, forgotten=False,
    )  # fmt: skip
