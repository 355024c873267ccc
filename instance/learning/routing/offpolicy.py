"""What would have been saved: counterfactual cost and success of other plans on the jobs that were done.

Where the propensity of every choice is known the estimate is doubly robust (Dudik, Langford, Li, "Doubly robust
policy evaluation and learning", ICML 2011): right when either the propensities or the model are. The model is the mean
of the results the plan had in the same context; weights are clipped. Without propensities there is only the model
(the direct method), which takes for granted that within a context tasks were not handed out by how hard they were.

Days are the blocks of the bootstrap (Kuensch 1989), because jobs of a day are alike; the model is fitted anew in
every replicate. The interval is that of Student's t with one degree of freedom less than there are days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from instance.learning.routing.outlook import Interval
from instance.learning.routing.pooling import Floats
from instance.learning.routing.task import Plan

REPLICATES: Final = 1000
WEIGHT_MAX: Final = 20.0
DAYS_MIN: Final = 7
EFFECTIVE_MIN: Final = 30.0
"""Jobs the plans in question must have been used on, for an estimate; by their weights, where they have any."""
CONTEXT_MIN: Final = 5
"""Jobs of a context its plan must have been used on, or nothing is said of that context."""
COVERED_MIN: Final = 0.5
"""Less than this share of the jobs is too little to speak for them."""

Method = Literal["doubly robust", "direct", "measured"]


@dataclass(frozen=True)
class Logged:
    """A job that was done; None is unknown."""

    day: date
    context: str
    """Jobs with the same are compared."""
    plan: Plan
    succeeded: bool | None
    cost_cents: float | None
    propensity: float | None = None


@dataclass(frozen=True)
class Saving:
    """What the other plans would have changed on each of the jobs covered, with 95 % intervals."""

    method: Method
    """`direct` is model-based: it rests on tasks of one context being alike. `measured` rests on a lot."""
    jobs: int
    """Jobs covered: those of contexts where there is something to compare."""
    covered: float
    """Their share of the jobs in question."""
    days: int
    effective: float
    """Jobs behind the estimate of the other plans, by their weights."""
    saved_cents: Interval
    success: Interval
    """Change of the share that succeeded."""


@dataclass(frozen=True)
class Refusal:
    """Why there is no number."""

    reason: str


def saving(logged: Sequence[Logged], plans: Mapping[str, Plan], rng: np.random.Generator) -> Saving | Refusal:
    """Estimate what would have changed had every job of a context been done by its plan.

    Jobs without a cost or a label, and of contexts without a plan, are not in question.
    """
    known = [one for one in logged if one.cost_cents is not None and one.succeeded is not None and one.context in plans]
    if not known:
        return Refusal("no job of these contexts has both a known cost and a label; label results, or price models")
    method: Method = "direct" if any(one.propensity is None for one in known) else "doubly robust"
    used = _used(known, plans)
    contexts = sorted(context for context, number in used.items() if number >= CONTEXT_MIN)
    covered = [one for one in known if one.context in set(contexts)]
    sums = _sums(covered, plans, contexts, method)
    return _refusal(known, covered, sums) or _saving(known, sums, method, rng)


class _Sums(NamedTuple):
    """Sums by day and context; the last axis of what has three is cost and success."""

    jobs: Floats
    made: Floats
    matching: Floats
    made_matching: Floats
    weights: Floats
    weighted: Floats
    effective: float


def _used(known: Sequence[Logged], plans: Mapping[str, Plan]) -> dict[str, int]:
    """Count by context the jobs done by the plan in question."""
    used: dict[str, int] = dict.fromkeys((one.context for one in known), 0)
    for one in known:
        used[one.context] += one.plan == plans[one.context]
    return used


def _sums(covered: Sequence[Logged], plans: Mapping[str, Plan], contexts: Sequence[str], method: Method) -> _Sums:
    days = sorted({one.day for one in covered})
    shape = (len(days), len(contexts))
    day_at, context_at = ({value: place for place, value in enumerate(values)} for values in (days, contexts))
    cells = np.array([day_at[one.day] * len(contexts) + context_at[one.context] for one in covered], dtype=np.intp)
    values = np.array([(one.cost_cents, one.succeeded) for one in covered], dtype=np.float64).reshape(-1, 2)
    matching = np.array([one.plan == plans[one.context] for one in covered], dtype=np.float64)
    weights = matching * [_weight(one, method) for one in covered]

    def summed(by: NDArray[Any]) -> Floats:
        return np.bincount(cells, by, shape[0] * shape[1]).reshape(shape).astype(np.float64)

    def both(by: NDArray[Any]) -> Floats:
        return np.stack([summed(by * column) for column in values.T], axis=-1)

    ones = np.ones(len(covered))
    effective = weights.sum() ** 2 / max(float((weights**2).sum()), 1e-9)
    return _Sums(
        summed(ones), both(ones), summed(matching), both(matching), summed(weights), both(weights), float(effective)
    )


def _weight(one: Logged, method: Method) -> float:
    if method == "direct" or one.propensity is None:
        return 1.0
    return min(WEIGHT_MAX, 1.0 / max(one.propensity, 1e-9))


def _refusal(known: Sequence[Logged], covered: Sequence[Logged], sums: _Sums) -> Refusal | None:
    if len(covered) < COVERED_MIN * len(known):
        return Refusal(
            f"no overlap: the plans in question were used on {CONTEXT_MIN} jobs or more only in contexts with "
            f"{len(covered)} of {len(known)} jobs; let them be explored, or ask about other plans"
        )
    if len(sums.jobs) < DAYS_MIN:
        return Refusal(f"only {len(sums.jobs)} days of results; {DAYS_MIN} are needed to tell how days differ")
    if sums.effective < EFFECTIVE_MIN:
        return Refusal(
            f"the jobs done by the plans in question count as {sums.effective:.0f}; {EFFECTIVE_MIN:.0f} are needed"
        )
    return None


def _saving(known: Sequence[Logged], sums: _Sums, method: Method, rng: np.random.Generator) -> Saving:
    days = len(sums.jobs)
    drawn = rng.multinomial(days, np.full(days, 1 / days), REPLICATES)
    changes = _changes(sums, np.vstack([np.ones(days), drawn]), method)
    error = changes[1:].std(axis=0, ddof=1) * np.sqrt(days / (days - 1)) * student(days - 1)
    cost, success = (
        Interval(float(middle - wide), float(middle), float(middle + wide))
        for middle, wide in zip(changes[0], error, strict=True)
    )
    jobs = int(sums.jobs.sum())
    return Saving(
        method=method,
        jobs=jobs,
        covered=jobs / len(known),
        days=days,
        effective=sums.effective,
        saved_cents=Interval(-cost.high, -cost.expected, -cost.low),
        success=success,
    )


def _changes(sums: _Sums, days: NDArray[Any], method: Method) -> Floats:
    """Return by how much cost and success would have changed per job, (replicates, 2); `days` is how often each counts.

    A context whose plan was not used on any of the days drawn is taken for like all contexts together.
    """
    jobs, made, matching, made_matching, weights, weighted = (np.tensordot(days, part, axes=1) for part in sums[:-1])
    everywhere = made_matching.sum(axis=1, keepdims=True) / np.maximum(matching.sum(axis=1), 1.0)[:, None, None]
    model = np.where(matching[..., None] > 0, made_matching / np.maximum(matching, 1.0)[..., None], everywhere)
    would = jobs[..., None] * model
    if method == "doubly robust":
        would = would + weighted - weights[..., None] * model
    changes: Floats = (would - made).sum(axis=1) / jobs.sum(axis=1)[:, None]
    return changes


def student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t, within 0.01 from five degrees of freedom on.

    Abramowitz, Stegun, "Handbook of mathematical functions", 26.7.5.
    """
    z = 1.959964
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
