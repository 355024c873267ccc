"""What advice saved, measured: jobs it was followed on, or not, against those a lot gave to the incumbent.

Nothing is taken for granted but that the lot was fair. Whoever was advised counts as advised whatever was then done
with it (intention to treat), so nobody picks which jobs are compared. Jobs count by the inverse of the chance of their
side (Hajek's estimator), so the share held out may change. Days are the blocks of the bootstrap, as everywhere here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from instance.learning.labels.summary import Seen
from instance.learning.results.words import word
from instance.learning.routing.offpolicy import DAYS_MIN, EFFECTIVE_MIN, REPLICATES, Refusal, Saving, student
from instance.learning.routing.outlook import Interval
from instance.learning.routing.pooling import Floats
from instance.learning.routing.task import AFTER
from schemas.routing import VERIFIER


class Trial(NamedTuple):
    """The jobs of one advice a lot was drawn for; None is unknown."""

    day: date
    held_out: bool
    chance: float
    """Of its side."""
    jobs: int
    cost_cents: float | None
    succeeded: int | None


def trials(seen: Iterable[Seen]) -> Mapping[str, list[Trial]]:
    """Put together what was done with each advice, by kind of job."""
    advised: defaultdict[tuple[str, int], list[Seen]] = defaultdict(list)
    for one in seen:
        if one.route is not None and one.held_out is not None and not one.job_type.startswith(VERIFIER):
            advised[one.job_type, one.route].append(one)
    found: defaultdict[str, list[Trial]] = defaultdict(list)
    for (job_type, _), results in sorted(advised.items()):
        found[job_type].append(_trial(results))
    return found


def measured(found: Sequence[Trial], rng: np.random.Generator) -> Saving | Refusal:
    """Return what advice saved on each job, and by how much it changed success, over the incumbent."""
    priced = [one for one in found if one.cost_cents is not None]
    labelled = [one for one in found if one.succeeded is not None]
    for known, what in ((priced, "a known cost"), (labelled, "a label")):
        for held_out in (True, False):
            if refusal := _refusal([one for one in known if one.held_out is held_out], held_out=held_out, what=what):
                return refusal
    cost = _difference(priced, [one.cost_cents or 0.0 for one in priced], rng)
    success = _difference(labelled, [float(one.succeeded or 0) for one in labelled], rng)
    return Saving(
        method="measured",
        jobs=sum(one.jobs for one in found),
        covered=sum(one.jobs for one in priced) / sum(one.jobs for one in found),
        days=len({one.day for one in found}),
        effective=min(_effective([one for one in priced if one.held_out is side]) for side in (True, False)),
        saved_cents=Interval(-cost.high, -cost.expected, -cost.low),
        success=success,
    )


def _trial(results: Sequence[Seen]) -> Trial:
    held_out, holdout = bool(results[0].held_out), results[0].holdout or 0.0
    costs = [one.cost_cents for one in results if one.cost_cents is not None]
    jobs = max(1, sum(AFTER not in one.context for one in results))
    return Trial(
        day=min(one.day for one in results),
        held_out=held_out,
        chance=holdout if held_out else 1.0 - holdout,
        jobs=jobs,
        cost_cents=sum(costs) if len(costs) == len(results) else None,
        succeeded=_succeeded(results, jobs),
    )


def _succeeded(results: Sequence[Seen], jobs: int) -> int | None:
    """Count the jobs that succeeded by their last attempts; None while one of them is not known."""
    before = {one.context[AFTER] for one in results if AFTER in one.context}
    last = [one.succeeded for one in results if word(one.model) not in before]
    is_told_apart = not before or jobs == len(last) == 1  # the stages of several jobs cannot be put together
    return sum(map(bool, last)) if is_told_apart and None not in last else None


def _refusal(side: Sequence[Trial], *, held_out: bool, what: str) -> Refusal | None:
    name = "held out" if held_out else "advised"
    days, effective = len({one.day for one in side}), _effective(side)
    if effective < EFFECTIVE_MIN:
        return Refusal(f"the jobs {name} that have {what} count as {effective:.0f}; {EFFECTIVE_MIN:.0f} are needed")
    if days < DAYS_MIN:
        return Refusal(f"jobs {name} have {what} on {days} days; {DAYS_MIN} are needed to tell how days differ")
    return None


def _effective(side: Sequence[Trial]) -> float:
    """Return as how many jobs of equal weight they count."""
    weights = np.array([one.jobs / one.chance for one in side])
    return float(weights.sum() ** 2 / max(float((weights**2).sum()), 1e-9)) if side else 0.0


def _difference(known: Sequence[Trial], totals: Sequence[float], rng: np.random.Generator) -> Interval:
    """Return by how much the mean per job of those advised is above that of those held out."""
    days = sorted({one.day for one in known})
    place = {day: number for number, day in enumerate(days)}
    sums = np.zeros((len(days), 2, 2))  # day, held out, (total, jobs)
    for one, total in zip(known, totals, strict=True):
        sums[place[one.day], int(one.held_out)] += np.array([total, one.jobs]) / one.chance
    drawn = rng.multinomial(len(days), np.full(len(days), 1 / len(days)), REPLICATES)
    found = _differences(sums, np.vstack([np.ones(len(days)), drawn]))
    wide = float(np.nanstd(found[1:], ddof=1) * np.sqrt(len(days) / (len(days) - 1)) * student(len(days) - 1))
    return Interval(float(found[0]) - wide, float(found[0]), float(found[0]) + wide)


def _differences(sums: Floats, days: NDArray[Any]) -> Floats:
    """Return the difference for each draw of days; NaN where one of the sides has no job on them."""
    together = np.tensordot(days, sums, axes=1)
    total, jobs = together[..., 0], together[..., 1]
    means = np.divide(total, jobs, out=np.full_like(total, np.nan), where=jobs > 0)
    return np.asarray(means[:, 0] - means[:, 1])
