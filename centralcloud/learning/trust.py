"""How far to believe each instance: whoever says what nobody else sees, of many patterns at once, is set aside.

What is judged is the share of an instance's files that show a pattern, against the share the others see in theirs; a
pattern it does not report is a share of nothing. An instance counts as at most `FILES_MAX` files, so that a claim is
not louder for being larger. Robust centres, residuals and trust depend on each other and are found in `ROUNDS` rounds,
as in iteratively reweighted estimation (Hampel et al., "Robust Statistics", 1986). Residuals are taken on the arcsine
scale (Anscombe, "The transformation of Poisson, binomial and negative-binomial data", 1948), where the rare patterns of
an honest small repository do not look like lies; of fewer files than `FILES_MAX` a share says nothing. Pure, and the
same for the same ballots in any order.

What it does not find: a few patterns lied about by who is honest otherwise, shares that are false but small, and liars
who are half of those that know a language. There the bound on each instance's weight is all there is.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from centralcloud.learning.ballots import Ballots, Floats, Integers

ROUNDS: Final = 3
FILES_MAX: Final = 5
"""An instance counts as at most so many files."""

WITNESSES_MIN: Final = 10
"""With fewer instances in a language nobody is judged by it: there is no telling who is odd."""

RESIDUAL_MAX: Final = 25.0
SCALE_MIN: Final = 0.25
"""However alike the others are: a squared residual is 1 on average, and a liar's many times that."""

DOUBT_Z: Final = 2.0
"""Up to here an instance is believed wholly."""

SET_ASIDE_Z: Final = 6.0
"""Beyond this it is not believed at all."""

SET_ASIDE_MAX: Final = 0.25
"""Should more of the fleet than this be set aside, the judgement itself is in doubt and nobody is."""

STEPS: Final = 4
"""Trust comes in quarters, so that a small wobble does not have everything measured again."""

_TO_SIGMA: Final = 1.4826
_TRIMMED: Final = 0.25

_CENTRE_PRIOR: Final = 0.01
_PRIOR_FILES: Final = 0.5
"""Centres are drawn towards one file in a hundred, as if half a file had said so."""
_CENTRE_MIN: Final = 1e-4
_FIRST_CORRELATION: Final = 0.1
"""Before a centre is known."""
_NO_WEIGHT: Final = 1e-12
"""Nobody of a language may be believed at all."""

Booleans = NDArray[np.bool_]


class Judgement(NamedTuple):
    """What is thought of one instance."""

    instance: str
    trust: float
    """0 (set aside), or 0.25, 0.5, 0.75, 1."""
    z: float
    """How far its disagreement lies from the fleet's median, in robust standard deviations."""
    facts: int
    """Patterns it was judged by; 0: it was not judged."""


def judge(ballots: Ballots) -> list[Judgement]:
    """Return a judgement of every instance, in the order of the ballots."""
    panel = _Panel(ballots)
    z = np.zeros(len(ballots.instances))
    if panel.facts.any():
        for _ in range(ROUNDS):
            z = _scores(panel.disagreement(trust_of(z)), panel.facts > 0)
    doubtful = np.count_nonzero(z > SET_ASIDE_Z) > SET_ASIDE_MAX * np.count_nonzero(panel.facts)
    trust = np.ones(len(z)) if doubtful else quantised(z)
    found = zip(ballots.instances, trust.tolist(), z.tolist(), panel.facts.tolist(), strict=True)
    return [Judgement(name, one, round(score, 2), facts) for name, one, score, facts in found]


def trust_of(z: Floats) -> Floats:
    """Return the weight of an instance by its score: 1 up to z = 2, falling with its square, 0 above z = 6."""
    return np.where(z > SET_ASIDE_Z, 0.0, 1.0 / (1.0 + np.maximum(0.0, z - DOUBT_Z) ** 2))


def quantised(z: Floats) -> Floats:
    """Return trust in steps; only who is beyond z = 6 comes to nothing."""
    steps = np.maximum(1.0, np.round(trust_of(z) * STEPS))
    return np.where(z > SET_ASIDE_Z, 0.0, steps / STEPS)


def _scores(disagreement: Floats, judged: Booleans) -> Floats:
    """Return z of those judged, 0 of the others."""
    known = disagreement[judged]
    median = np.median(known)
    scale = max(SCALE_MIN, _TO_SIGMA * float(np.median(np.abs(known - median))))
    return np.where(judged, (disagreement - median) / scale, 0.0)


class _Panel:
    """Ballots made ready once: reports sorted by fact and share, and how much each instance's word can weigh."""

    def __init__(self, ballots: Ballots) -> None:
        known = ballots.sizes > 0
        facts = _judged_facts(ballots, known)
        kept = np.flatnonzero(facts[ballots.fact])
        fact, instance = (np.cumsum(facts) - 1)[ballots.fact[kept]], ballots.instance[kept]
        language = ballots.languages[facts]
        share = np.minimum(1.0, ballots.files[kept] / np.maximum(FILES_MAX, ballots.sizes[instance, language[fact]]))
        order = np.lexsort((instance, share, fact))
        self._fact, self._instance, self._share = fact[order], instance[order], share[order]
        self._language = language
        self._sizes = np.minimum(FILES_MAX, ballots.sizes)
        self._starts = np.searchsorted(self._fact, np.arange(len(language)))
        self.facts: Integers = known @ np.bincount(language, minlength=known.shape[1])
        """Shape (instances,): how many facts each is judged by."""

    def disagreement(self, trust: Floats) -> Floats:
        """Return the mean squared residual of each instance, about 1 where the model holds; shape (instances,)."""
        first = np.full(self._sizes.shape[1], _FIRST_CORRELATION)
        centres = self._centres(_effective(self._sizes, first) * trust[:, None])
        said = 4.0 * (_arcsine(self._share) - _arcsine(centres)[self._fact]) ** 2
        unsaid = 4.0 * _arcsine(centres) ** 2
        correlation = self._correlation(trust, said, unsaid)
        sums = self._sums(said, unsaid, _effective(self._sizes, correlation))
        mean: Floats = sums.sum(axis=1) / np.maximum(1, self.facts)
        return mean

    def _centres(self, weights: Floats) -> Floats:
        """Return, of each fact, half its weighted median and half its trimmed mean; the silent ones say 0."""
        own = weights[self._instance, self._language[self._fact]]
        total = weights.sum(axis=0)[self._language]
        silent = np.maximum(0.0, total - np.bincount(self._fact, own, minlength=len(total)))
        running = np.cumsum(own)
        before = np.concatenate([[0.0], running])[self._starts]
        upper = running + (silent - before)[self._fact]
        median = self._median(upper, silent, total)
        low, high = _TRIMMED * total, (1.0 - _TRIMMED) * total
        inside = np.minimum(upper, high[self._fact]) - np.maximum(upper - own, low[self._fact])
        kept = np.bincount(self._fact, np.maximum(0.0, inside) * self._share, minlength=len(total))
        centre = (median + kept / np.maximum(high - low, _NO_WEIGHT)) / 2.0
        prior = _CENTRE_PRIOR * _PRIOR_FILES
        blended: Floats = np.maximum(_CENTRE_MIN, (centre * total + prior) / (total + _PRIOR_FILES))
        return blended

    def _median(self, upper: Floats, silent: Floats, total: Floats) -> Floats:
        """Return the share at which half of the weight is reached, `upper` being the weight up to each report."""
        reached = np.where(upper >= (total / 2)[self._fact], np.arange(len(upper)), len(upper) - 1)
        first = np.minimum.reduceat(reached, self._starts)
        return np.where(silent >= total / 2, 0.0, self._share[first])

    def _correlation(self, trust: Floats, said: Floats, unsaid: Floats) -> Floats:
        """Estimate by moments, for each language, how alike the files of one instance are: 0 to 1."""
        excess = self._sums(said, unsaid, self._sizes) - (self._sizes > 0) * self._facts_by_language
        surplus = np.maximum(0.0, self._sizes - 1.0) * self._facts_by_language
        return np.clip((trust @ excess) / np.maximum(1.0, trust @ surplus), 0.0, 1.0)

    def _sums(self, said: Floats, unsaid: Floats, scale: Floats) -> Floats:
        """Sum the winsorised squared residuals over all facts of a language; shape (instances, languages)."""
        sums = np.zeros_like(scale)
        for column in range(scale.shape[1]):
            levels, place = np.unique(scale[:, column], return_inverse=True)
            of_language = unsaid[self._language == column]
            silent = np.array([np.minimum(RESIDUAL_MAX, level * of_language).sum() for level in levels])
            sums[:, column] = silent[place]
        columns = self._language[self._fact]
        own = scale[self._instance, columns]
        instead = np.minimum(RESIDUAL_MAX, own * said) - np.minimum(RESIDUAL_MAX, own * unsaid[self._fact])
        np.add.at(sums, (self._instance, columns), instead)
        return sums

    @property
    def _facts_by_language(self) -> Integers:
        return np.bincount(self._language, minlength=self._sizes.shape[1])


def _judged_facts(ballots: Ballots, known: Booleans) -> Booleans:
    """Choose facts at least two report, of languages with enough witnesses."""
    reports = np.bincount(ballots.fact, minlength=len(ballots.languages))
    enough: Booleans = known.sum(axis=0) >= WITNESSES_MIN
    chosen: Booleans = (reports > 1) & enough[ballots.languages]
    return chosen


def _effective(sizes: Floats, correlation: Floats) -> Floats:
    """Return how many independent files those of an instance count as, by the Beta-Binomial model."""
    effective: Floats = sizes / (1.0 + correlation * np.maximum(0.0, sizes - 1.0))
    return effective


def _arcsine(share: Floats) -> Floats:
    angle: Floats = np.arcsin(np.sqrt(share))
    return angle
