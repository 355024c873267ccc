"""What one instance said of one pattern in one repository, as the merge takes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

CODE_KIND: Final = "code.pattern"
"""What `files` of this kind counts are files of a language."""

LANGUAGE_KIND: Final = "technology.language"
"""Observations of this kind say how many files of a language a repository has."""


class Observation(Struct, frozen=True, kw_only=True, gc=False):
    """A state, never a difference: of two, the one with the higher (epoch, version) holds."""

    fingerprint: str
    instance: str
    repository: str
    kind: str
    language: str
    view: str
    name: str
    template: str | None
    files: int
    occurrences: int
    forgotten: bool
    epoch: str
    version: int
    release: str = ""
    """Of a framework or a package: which version of it."""


def newest(observations: Iterable[Observation]) -> list[Observation]:
    """Keep the newest state per pattern, instance and repository; repeated and late older ones change nothing."""
    latest: dict[tuple[str, str, str], Observation] = {}
    for observation in observations:
        key = (observation.fingerprint, observation.instance, observation.repository)
        known = latest.get(key)
        if known is None or _age(observation) > _age(known):
            latest[key] = observation
    return list(latest.values())


def _age(observation: Observation) -> tuple[str, int, bytes]:
    """Order by (epoch, version); should one version have two contents, their bytes make the choice repeatable."""
    return observation.epoch, observation.version, msgspec.json.encode(observation)
