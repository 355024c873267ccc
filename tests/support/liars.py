"""A fleet of which some lie in concert: made-up observations of which it is known what is true."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Literal

import numpy as np

from centralcloud.learning.ballots import Ballots, Fact, ballots_of
from centralcloud.learning.fleet import EVERYBODY, observed_fleet
from centralcloud.learning.merge import merge_all
from centralcloud.learning.observation import CODE_KIND, LANGUAGE_KIND, Observation, newest
from centralcloud.learning.trust import Judgement, judge

ACCEPTED: Final = 0.6
"""A fact is believed when its confidence reaches this."""

TRUE_SHARES: Final = (0.85, 0.95)
FALSE_SHARES: Final = (0.2, 0.4)
"""In what share of the repositories a fact is in truth."""

INFLATED_FILES: Final = 1_000_000
LIAR_REPOSITORIES: Final = 5
REPOSITORIES_MAX: Final = 8
CORRELATION: Final = 0.2

Lie = Literal["inflated", "whispered"]


@dataclass(frozen=True)
class World:
    """What everybody says, and what is so."""

    observations: list[Observation]
    liars: frozenset[str]
    true: frozenset[str]
    false: frozenset[str]


@dataclass(frozen=True)
class Verdict:
    """What came of it: facts believed and not believed wrongly, liars found, honest instances suspected."""

    false_accepted: float
    true_lost: float
    liars_found: float
    honest_set_aside: float


def world(seed: int, *, instances: int, facts: int, languages: int, liars: float, lie: Lie = "inflated") -> World:
    """Make a fleet: each honest instance knows one language, each liar all of them.

    Liars claim every false fact and deny every true one, in five repositories of a million files each: `inflated` in
    every file, `whispered` in one of a hundred.
    """
    random = np.random.default_rng(seed)
    names = [_digest(f"fact {number}") for number in range(facts)]
    shares = np.where(
        random.random(facts) < 0.5, random.uniform(*TRUE_SHARES, facts), random.uniform(*FALSE_SHARES, facts)
    )
    rates = np.clip(np.exp(random.normal(np.log(0.08), 0.8, facts)), 0.01, 0.6)
    false = [number for number in range(facts) if shares[number] <= FALSE_SHARES[1]]
    lying = round(liars * instances)
    said: list[Observation] = []
    for number in range(instances - lying):
        column = int(random.integers(languages))
        own = np.arange(column, facts, languages)
        for repository, files, counts in _honest(random, f"honest-{number}", shares[own], rates[own]):
            said.append(_language(f"honest-{number}", repository, column, files))
            said += [
                _seen(f"honest-{number}", repository, column, names[fact], int(count))
                for fact, count in zip(own, counts, strict=True)
                if count
            ]
    claimed = INFLATED_FILES if lie == "inflated" else INFLATED_FILES // 100
    for number in range(lying):
        said += _lies(f"liar-{number}", [(fact % languages, names[fact]) for fact in false], languages, claimed)
    return World(
        observations=said,
        liars=frozenset(f"liar-{number}" for number in range(lying)),
        true=frozenset(names) - {names[number] for number in false},
        false=frozenset(names[number] for number in false),
    )


def judged(observations: Sequence[Observation]) -> dict[str, Judgement]:
    """Judge every instance."""
    return {one.instance: one for one in judge(observed_ballots(observations))}


def observed_ballots(observations: Sequence[Observation]) -> Ballots:
    """Read ballots from what instances have now, as the store does from its tables."""
    present = [one for one in newest(observations) if not one.forgotten]
    instances = sorted({one.instance for one in present})
    place = {instance: row for row, instance in enumerate(instances)}
    reported: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    repositories: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in present:
        if one.kind == CODE_KIND:
            reported[one.fingerprint, one.language][place[one.instance]] += one.files
            repositories[one.fingerprint, one.language].add(one.repository)
    facts = [
        Fact(language, list(found), list(found.values()))
        for (name, language), found in sorted(reported.items())
        if len(found) > 1 and len(repositories[name, language]) > 1
    ]
    return ballots_of(instances, _sizes(present), facts)


def _sizes(present: Sequence[Observation]) -> dict[tuple[str, str], int]:
    """Files by (language, instance); of who does not say, the most that show one pattern."""
    largest: dict[tuple[str, str, str], int] = defaultdict(int)
    for one in present:
        language = one.name if one.kind == LANGUAGE_KIND else one.language
        if one.kind in (LANGUAGE_KIND, CODE_KIND):
            key = (language, one.instance, one.repository)
            largest[key] = max(largest[key], one.files)
    sizes: Counter[tuple[str, str]] = Counter()
    for (language, instance, _), files in largest.items():
        sizes[language, instance] += files
    return sizes


def verdict(made: World, trust: Mapping[str, float] = EVERYBODY) -> Verdict:
    """Merge what those say who are believed at all, and compare with the truth."""
    kept = [one for one in made.observations if trust.get(one.instance, 1.0) > 0]
    found = merge_all(kept, observed_fleet(kept, trust))
    believed = {name for name, one in found.items() if one.confidence >= ACCEPTED}
    aside = {name for name, value in trust.items() if value == 0}
    honest = {one.instance for one in made.observations} - made.liars
    return Verdict(
        false_accepted=len(believed & made.false) / len(made.false),
        true_lost=len(made.true - believed) / len(made.true),
        liars_found=len(made.liars & aside) / max(1, len(made.liars)),
        honest_set_aside=len(honest & aside) / len(honest),
    )


def _honest(
    random: np.random.Generator, name: str, shares: np.ndarray, rates: np.ndarray
) -> list[tuple[str, int, np.ndarray]]:
    """Draw repositories with the files of each fact: sizes log-normal over three decades, the rest Beta-Binomial."""
    leaning = random.beta(*_beta(shares, CORRELATION))
    drawn = []
    for number in range(min(REPOSITORIES_MAX, int(np.exp(random.exponential(0.6))))):
        files = int(np.clip(np.exp(random.normal(np.log(150), 1.7)), 2, 20_000))
        present = random.random(len(shares)) < leaning
        counts = random.binomial(files, random.beta(*_beta(rates, 0.15)))
        drawn.append((_digest(f"{name} {number}"), files, np.where(present, np.maximum(1, counts), 0)))
    return drawn


def _beta(mean: np.ndarray, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    strength = (1 - correlation) / correlation
    return mean * strength, (1 - mean) * strength


def _lies(name: str, claims: Sequence[tuple[int, str]], languages: int, files: int) -> list[Observation]:
    said = []
    for number in range(LIAR_REPOSITORIES):
        repository = _digest(f"{name} {number}")
        said += [_language(name, repository, column, INFLATED_FILES) for column in range(languages)]
        said += [_seen(name, repository, column, fact, files) for column, fact in claims]
    return said


def _language(instance: str, repository: str, column: int, files: int) -> Observation:
    language = f"language-{column}"
    return _observation(instance, repository, _digest(language), files, kind=LANGUAGE_KIND, name=language)


def _seen(instance: str, repository: str, column: int, fact: str, files: int) -> Observation:
    return _observation(instance, repository, fact, files, kind=CODE_KIND, language=f"language-{column}")


def _observation(
    instance: str, repository: str, fingerprint: str, files: int, *, kind: str, language: str = "", name: str = ""
) -> Observation:
    return Observation(
        fingerprint=fingerprint, instance=instance, repository=repository, kind=kind, language=language, view="",
        name=name, template=None, files=files, occurrences=files, forgotten=False, epoch="0" * 32, version=1,
    )  # fmt: skip


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
