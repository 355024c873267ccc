"""Many observations to one insight: a pure function of what trusted instances know now, in any order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

import msgspec

from centralcloud.config import INSTANCES_MIN
from centralcloud.learning.confidence import Count, Holding, wilson_lower_bound
from centralcloud.learning.fleet import Electorate, FileShare, Fleet
from centralcloud.learning.observation import CODE_KIND, Observation, newest
from schemas.insights import Insight
from schemas.names import COUNT_MAX

REPOSITORIES_MIN: Final = 2
"""What fewer know stays theirs: below this, or too few instances, there is no insight."""

NAMED_MIN: Final = 2
"""A name not everybody tells needs so many instances that do: one alone might put a word into the mouth of others."""

CONTRIBUTORS_MAX: Final = 20
VERSIONS_MAX: Final = 20
DECIMALS: Final = 4
FILE_RATE_DECIMALS: Final = 6
"""Most habits are in few files."""


V = TypeVar("V", str, "Shape")


class Shape(NamedTuple):
    """What a fingerprint stands for; honest instances agree on it."""

    kind: str
    language: str
    view: str


class Identity(NamedTuple):
    """The shape and the name; whether a name is told is for each instance to decide."""

    kind: str
    language: str
    view: str
    name: str


class Opinion(NamedTuple):
    """How many instances kept an insight, and how many rejected it."""

    accepted: int = 0
    rejected: int = 0


UNHEARD: Final[Mapping[str, Opinion]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tally:
    """One pattern counted over all instances that have it."""

    fingerprint: str
    identity: Identity
    template: str | None
    files_by_holding: dict[Holding, int]
    instances: tuple[str, ...]
    repositories: int
    files: int
    occurrences: int
    versions: dict[str, int]
    """Repositories by the version they use, the most used first."""
    evidence: str

    def suffices(self, instances_min: int = INSTANCES_MIN) -> bool:
        """Whether enough instances and repositories have it for an insight."""
        return len(self.instances) >= instances_min and self.repositories >= REPOSITORIES_MIN


def merge(
    observations: Iterable[Observation], fleet: Fleet, opinions: Mapping[str, Opinion] = UNHEARD
) -> Insight | None:
    """Conclude from all observations of one pattern; None when too few have it."""
    return next(iter(merge_all(observations, fleet, opinions).values()), None)


def merge_all(
    observations: Iterable[Observation], fleet: Fleet, opinions: Mapping[str, Opinion] = UNHEARD
) -> dict[str, Insight]:
    """Conclude from observations of many patterns: insights by fingerprint, without those too few have."""
    sufficient = [tally for tally in tallies(observations) if tally.suffices()]
    return {insight.id: insight for insight in conclude(sufficient, fleet, opinions)}


def tallies(observations: Iterable[Observation]) -> list[Tally]:
    """Count every pattern somebody has now, ordered by fingerprint."""
    groups: dict[str, list[Observation]] = defaultdict(list)
    for observation in newest(observations):
        if not observation.forgotten:
            groups[observation.fingerprint].append(observation)
    return [_tally(fingerprint, groups[fingerprint]) for fingerprint in sorted(groups)]


def conclude(sufficient: Sequence[Tally], fleet: Fleet, opinions: Mapping[str, Opinion] = UNHEARD) -> list[Insight]:
    """Measure tallies, each covered by the fleet, against their language's repositories."""
    electorates = [fleet.electorates[tally.identity.language] for tally in sufficient]
    counts = [one.count(tally.files_by_holding) for tally, one in zip(sufficient, electorates, strict=True)]
    file_shares = [_file_share(tally, one) for tally, one in zip(sufficient, electorates, strict=True)]
    bounds: list[float] = wilson_lower_bound(
        [count.positive for count in counts], [count.total for count in counts]
    ).tolist()
    return [
        _insight(tally, count, bound, share, opinions.get(tally.fingerprint, Opinion()))
        for tally, count, bound, share in zip(sufficient, counts, bounds, file_shares, strict=True)
    ]


def _file_share(tally: Tally, electorate: Electorate) -> FileShare:
    """Take the mean share of files; of what is no code, `files` are something else."""
    if tally.identity.kind != CODE_KIND:
        return FileShare(0.0, 0)
    return electorate.file_share(tally.files_by_holding)


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
    shape = _prevailing((one.instance, _shape(one)) for one in observations)
    alike = [one for one in observations if _shape(one) == shape]
    named = [(one.instance, one.name) for one in alike if one.name]
    name = _prevailing(named) if named else ""
    agreeing = sorted((one for one in alike if one.name in ("", name)), key=lambda one: (one.instance, one.repository))
    told = len({instance for instance, said in named if said == name}) >= NAMED_MIN
    templates = [(one.instance, one.template) for one in agreeing if one.template is not None]
    return Tally(
        fingerprint=fingerprint,
        identity=Identity(*shape, name if told else ""),
        template=_prevailing(templates) if templates else None,
        files_by_holding={(one.instance, one.repository): one.files for one in agreeing},
        instances=tuple(sorted({one.instance for one in agreeing})),
        repositories=len({one.repository for one in agreeing}),
        files=_sum_of_largest((one.repository, one.files) for one in agreeing),
        occurrences=_sum_of_largest((one.repository, one.occurrences) for one in agreeing),
        versions=_versions(agreeing),
        evidence=_evidence(agreeing),
    )


def _shape(observation: Observation) -> Shape:
    return Shape(observation.kind, observation.language, observation.view)


def _prevailing(claims: Iterable[tuple[str, V]]) -> V:
    """Return what most instances claim; of equals the one that sorts first."""
    support = Counter(value for _, value in set(claims))
    return min(support, key=lambda value: (-support[value], value))


def _sum_of_largest(counts: Iterable[tuple[str, int]]) -> int:
    """Sum over repositories, up to `COUNT_MAX`; one held by several instances counts once, by its largest count."""
    largest: dict[str, int] = {}
    for repository, count in counts:
        largest[repository] = max(count, largest.get(repository, 0))
    return min(sum(largest.values()), COUNT_MAX)


def _versions(agreeing: Iterable[Observation]) -> dict[str, int]:
    """Count repositories by version, those most used first, at most `VERSIONS_MAX` of them."""
    used = Counter(release for release, _ in {(one.release, one.repository) for one in agreeing if one.release})
    return dict(sorted(used.items(), key=lambda item: (-item[1], item[0]))[:VERSIONS_MAX])


def _evidence(ordered: list[Observation]) -> str:
    """Digest what was observed, not how often it was said: a resend or a new epoch leaves it as it is."""
    lines = [(one.instance, one.repository, one.files, one.occurrences) for one in ordered]
    return blake2b(msgspec.json.encode(lines), digest_size=16).hexdigest()


def _insight(tally: Tally, count: Count, confidence: float, share: FileShare, opinion: Opinion) -> Insight:
    return Insight(
        id=tally.fingerprint,
        **tally.identity._asdict(),
        state="active",
        instances=len(tally.instances),
        repositories=tally.repositories,
        files=tally.files,
        occurrences=tally.occurrences,
        rate=round(min(1.0, count.positive / count.total), DECIMALS),
        confidence=round(confidence, DECIMALS),
        template=tally.template,
        contributors=tally.instances[:CONTRIBUTORS_MAX],
        evidence=tally.evidence,
        file_rate=round(share.rate, FILE_RATE_DECIMALS),
        file_repositories=share.repositories,
        versions=tally.versions,
        accepted=opinion.accepted,
        rejected=opinion.rejected,
    )
