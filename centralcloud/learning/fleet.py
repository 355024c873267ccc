"""Who has which repositories of which language, and how many files: what shares of the fleet are measured against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from math import fsum
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from centralcloud.learning.confidence import REPOSITORIES_MAX, Count, Holding, Poll, Voter, shares
from centralcloud.learning.observation import LANGUAGE_KIND, Observation, newest

ALL_LANGUAGES: Final = ""
"""Patterns without a language, such as those of architecture, are measured against every repository."""

FILES_BITS: Final = 5
"""Files are counted to so many binary digits: a repository that grew by a file is still the same to the fleet."""

REPOSITORIES_COUNTED_MIN: Final = 2
"""A mean over fewer repositories is none."""

EVERYBODY: Final[Mapping[str, float]] = MappingProxyType({})
"""Weights when every instance is believed wholly."""


class Held(NamedTuple):
    """One repository of one instance in one language; `files` are all its files of it, 0 where that is not known."""

    language: str
    instance: str
    repository: str
    files: int = 0


class FileShare(NamedTuple):
    """The mean share of files that show a pattern, over so many repositories."""

    rate: float
    repositories: int


@dataclass(frozen=True)
class Electorate:
    """The voters of one language."""

    files: dict[Holding, int]
    """All files of each holding, rounded; 0 where that is not known."""
    weights: dict[str, float]
    """How much each instance is believed, above 0."""

    @cached_property
    def digest(self) -> str:
        """The same holdings, files and weights give the same digest, hex."""
        content = (sorted(self.files.items()), sorted(self.weights.items()))
        return blake2b(msgspec.json.encode(content), digest_size=16).hexdigest()

    def count(self, holdings: Iterable[Holding]) -> Count:
        """Count the votes for a pattern that these have; their order does not matter."""
        votes: dict[str, list[float]] = defaultdict(list)
        for holding in holdings:
            votes[holding[0]].append(self._shares[holding])
        return self._poll.count({instance: fsum(parts) for instance, parts in votes.items()})

    def file_share(self, files: Mapping[Holding, int]) -> FileShare:
        """Take the mean over all repositories with known files; 0 of 0 when they are too few."""
        weights, total, repositories = self._counted
        if repositories < REPOSITORIES_COUNTED_MIN:
            return FileShare(0.0, 0)
        parts = (
            weights[holding] * min(1.0, count / self.files[holding])
            for holding, count in files.items()
            if holding in weights
        )
        return FileShare(min(1.0, fsum(parts) / total), repositories)

    @cached_property
    def _shares(self) -> dict[Holding, float]:
        return shares(self.files.keys())

    @cached_property
    def _poll(self) -> Poll:
        votes: dict[str, list[float]] = defaultdict(list)
        for (instance, _), share in self._shares.items():
            votes[instance].append(share)
        return Poll({name: Voter(fsum(parts), self.weights[name]) for name, parts in votes.items()})

    @cached_property
    def _counted(self) -> tuple[dict[Holding, float], float, int]:
        """Return the weight of each holding with known files, their sum, and the number of repositories."""
        voters = self._poll.voters
        weights = {
            (instance, repository): self._shares[instance, repository]
            * self.weights[instance]
            * min(1.0, REPOSITORIES_MAX / voters[instance].repositories)
            for (instance, repository), files in self.files.items()
            if files
        }
        return weights, fsum(weights.values()), len({repository for _, repository in weights})


@dataclass(frozen=True)
class Fleet:
    """The electorates of all languages."""

    electorates: dict[str, Electorate]

    def covers(self, language: str, holdings: Iterable[Holding]) -> bool:
        """Whether every one of them has a vote."""
        electorate = self.electorates.get(language)
        return electorate is not None and all(holding in electorate.files for holding in holdings)

    @property
    def digests(self) -> dict[str, str]:
        """Digest by language."""
        return {language: electorate.digest for language, electorate in self.electorates.items()}


def fleet_of(held: Iterable[Held], weights: Mapping[str, float] = EVERYBODY) -> Fleet:
    """Count what is held by those with a weight above 0 (1 unless given); order and repetitions do not matter."""
    files: dict[str, dict[Holding, int]] = defaultdict(dict)
    for language, instance, repository, count in held:
        if weights.get(instance, 1.0) > 0:
            holding = (instance, repository)
            files[language][holding] = max(rounded(count), files[language].get(holding, 0))
            files[ALL_LANGUAGES].setdefault(holding, 0)
    return Fleet(
        {
            language: Electorate(found, {name: weights.get(name, 1.0) for name, _ in found})
            for language, found in files.items()
        }
    )


def observed_fleet(observations: Iterable[Observation], weights: Mapping[str, float] = EVERYBODY) -> Fleet:
    """Read the fleet from what instances have now."""
    return fleet_of((_held(one) for one in newest(observations) if not one.forgotten), weights)


def rounded(files: int) -> int:
    """Keep the `FILES_BITS` leading binary digits, rounding half up; at most 3 % off."""
    shift = max(0, files.bit_length() - FILES_BITS)
    return (files + (1 << shift >> 1)) >> shift << shift


def _held(one: Observation) -> Held:
    if one.kind == LANGUAGE_KIND:
        return Held(one.name, one.instance, one.repository, one.files)
    return Held(one.language, one.instance, one.repository)
