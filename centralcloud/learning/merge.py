"""Many observations to one insight: a pure function of what trusted instances know now, in any order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple, TypeVar

import msgspec

from centralcloud.learning.confidence import Holding, wilson_lower_bound
from centralcloud.learning.fleet import Fleet
from centralcloud.learning.observation import Observation, newest
from schemas.insights import Insight

INSTANCES_MIN: Final = 2
REPOSITORIES_MIN: Final = 2
"""What fewer know stays theirs: below either minimum there is no insight."""

CONTRIBUTORS_MAX: Final = 20
DECIMALS: Final = 4


V = TypeVar("V", str, "Identity")


class Identity(NamedTuple):
    """What a fingerprint stands for; honest instances agree on it."""

    kind: str
    language: str
    view: str
    name: str


@dataclass(frozen=True, slots=True)
class Tally:
    """One pattern counted over all instances that have it."""

    fingerprint: str
    identity: Identity
    template: str | None
    holdings: tuple[Holding, ...]
    instances: tuple[str, ...]
    repositories: int
    files: int
    occurrences: int
    evidence: str

    @property
    def suffices(self) -> bool:
        """Whether enough instances and repositories have it for an insight."""
        return len(self.instances) >= INSTANCES_MIN and self.repositories >= REPOSITORIES_MIN


def merge(observations: Iterable[Observation], fleet: Fleet) -> Insight | None:
    """Conclude from all observations of one pattern; None when too few have it."""
    return next(iter(merge_all(observations, fleet).values()), None)


def merge_all(observations: Iterable[Observation], fleet: Fleet) -> dict[str, Insight]:
    """Conclude from observations of many patterns: insights by fingerprint, without those too few have."""
    sufficient = [tally for tally in tallies(observations) if tally.suffices]
    return {insight.id: insight for insight in conclude(sufficient, fleet)}


def tallies(observations: Iterable[Observation]) -> list[Tally]:
    """Count every pattern somebody has now, ordered by fingerprint."""
    groups: dict[str, list[Observation]] = defaultdict(list)
    for observation in newest(observations):
        if not observation.forgotten:
            groups[observation.fingerprint].append(observation)
    return [_tally(fingerprint, groups[fingerprint]) for fingerprint in sorted(groups)]


def conclude(sufficient: Sequence[Tally], fleet: Fleet) -> list[Insight]:
    """Measure tallies, each covered by the fleet, against their language's repositories."""
    electorates = [fleet.electorates[tally.identity.language] for tally in sufficient]
    positive = [one.positive(tally.holdings) for tally, one in zip(sufficient, electorates, strict=True)]
    total = [one.total for one in electorates]
    bounds: list[float] = wilson_lower_bound(positive, total).tolist()
    return [
        _insight(tally, yes / votes, bound)
        for tally, yes, votes, bound in zip(sufficient, positive, total, bounds, strict=True)
    ]


def revoked(previous: Insight, tally: Tally | None) -> Insight:
    """Withdraw an insight: it keeps its identity and says how many are left; what so few know is not passed on."""
    identity = tally.identity if tally else Identity(previous.kind, previous.language, previous.view, previous.name)
    return Insight(
        id=previous.id,
        **identity._asdict(),
        state="revoked",
        instances=len(tally.instances) if tally else 0,
        repositories=tally.repositories if tally else 0,
        files=0,
        occurrences=0,
        rate=0.0,
        confidence=0.0,
    )


def _tally(fingerprint: str, observations: list[Observation]) -> Tally:
    """Count one pattern; whoever contradicts the others on what the fingerprint is does not count."""
    identity = _prevailing((one.instance, _identity(one)) for one in observations)
    agreeing = sorted(
        (one for one in observations if _identity(one) == identity), key=lambda one: (one.instance, one.repository)
    )
    templates = [(one.instance, one.template) for one in agreeing if one.template is not None]
    repositories = {one.repository for one in agreeing}
    return Tally(
        fingerprint=fingerprint,
        identity=identity,
        template=_prevailing(templates) if templates else None,
        holdings=tuple((one.instance, one.repository) for one in agreeing),
        instances=tuple(sorted({one.instance for one in agreeing})),
        repositories=len(repositories),
        files=_sum_of_largest((one.repository, one.files) for one in agreeing),
        occurrences=_sum_of_largest((one.repository, one.occurrences) for one in agreeing),
        evidence=_evidence(agreeing),
    )


def _identity(observation: Observation) -> Identity:
    return Identity(observation.kind, observation.language, observation.view, observation.name)


def _prevailing(claims: Iterable[tuple[str, V]]) -> V:
    """Return what most instances claim; of equals the one that sorts first."""
    support = Counter(value for _, value in set(claims))
    return min(support, key=lambda value: (-support[value], value))


def _sum_of_largest(counts: Iterable[tuple[str, int]]) -> int:
    """Sum over repositories; one held by several instances counts once, by its largest count."""
    largest: dict[str, int] = {}
    for repository, count in counts:
        largest[repository] = max(count, largest.get(repository, 0))
    return sum(largest.values())


def _evidence(ordered: list[Observation]) -> str:
    """Digest what was observed, not how often it was said: a resend or a new epoch leaves it as it is."""
    lines = [(one.instance, one.repository, one.files, one.occurrences) for one in ordered]
    return blake2b(msgspec.json.encode(lines), digest_size=16).hexdigest()


def _insight(tally: Tally, rate: float, confidence: float) -> Insight:
    return Insight(
        id=tally.fingerprint,
        **tally.identity._asdict(),
        state="active",
        instances=len(tally.instances),
        repositories=tally.repositories,
        files=tally.files,
        occurrences=tally.occurrences,
        rate=round(rate, DECIMALS),
        confidence=round(confidence, DECIMALS),
        template=tally.template,
        contributors=tally.instances[:CONTRIBUTORS_MAX],
        evidence=tally.evidence,
    )
