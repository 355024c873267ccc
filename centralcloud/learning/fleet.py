"""Who has which repositories of which language: what shares of the fleet are measured against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from math import fsum
from typing import Final

import msgspec

from centralcloud.learning.confidence import Holding, votes
from centralcloud.learning.observation import Observation, newest

ALL_LANGUAGES: Final = ""
"""Patterns without a language, such as those of architecture, are measured against every repository."""


@dataclass(frozen=True)
class Electorate:
    """The votes for one language."""

    votes: dict[Holding, float]
    total: float
    digest: str
    """The same holdings give the same digest, hex."""

    def positive(self, holdings: Iterable[Holding]) -> float:
        """Sum the votes of those that have a pattern; the order does not matter, `fsum` rounds once."""
        return fsum(self.votes[holding] for holding in holdings)


@dataclass(frozen=True)
class Fleet:
    """The electorates of all languages."""

    electorates: dict[str, Electorate]

    def covers(self, language: str, holdings: Iterable[Holding]) -> bool:
        """Whether every one of them has a vote."""
        electorate = self.electorates.get(language)
        return electorate is not None and all(holding in electorate.votes for holding in holdings)

    @property
    def digests(self) -> dict[str, str]:
        """Digest by language."""
        return {language: electorate.digest for language, electorate in self.electorates.items()}


def fleet_of(held: Iterable[tuple[str, str, str]]) -> Fleet:
    """Count (language, instance, repository); order and repetitions do not matter."""
    holdings: dict[str, set[Holding]] = defaultdict(set)
    for language, instance, repository in held:
        holdings[language].add((instance, repository))
        holdings[ALL_LANGUAGES].add((instance, repository))
    return Fleet({language: _electorate(found) for language, found in holdings.items()})


def observed_fleet(observations: Iterable[Observation]) -> Fleet:
    """Read the fleet from what instances have now."""
    present = (one for one in newest(observations) if not one.forgotten)
    return fleet_of((one.language, one.instance, one.repository) for one in present)


def _electorate(holdings: set[Holding]) -> Electorate:
    weights = votes(holdings)
    digest = blake2b(msgspec.json.encode(sorted(holdings)), digest_size=16).hexdigest()
    return Electorate(weights, fsum(weights.values()), digest)
