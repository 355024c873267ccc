"""What other plans would have saved on the jobs that results tell of.

Results that followed the same advice are the stages of one job. Any other result is a job of its own, given to one
model; what a verifier did is none, and neither is a second attempt nobody advised.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from instance.learning.labels.holdout import measured, trials
from instance.learning.labels.summary import Seen, context_of
from instance.learning.results.words import word
from instance.learning.routing.offpolicy import Logged, Refusal, Saving, saving
from instance.learning.routing.task import AFTER, Plan
from schemas.routing import VERIFIER

_SEED: Final = 0  # the same results give the same intervals


class Offer(NamedTuple):
    """What would have changed, had all work of a kind been done by one plan."""

    job_type: str
    plan: Plan
    """Empty: by whatever was advised, measured against what was held out."""
    saving: Saving | Refusal


def offers(seen: Iterable[Seen]) -> list[Offer]:
    """Tell what advice changed where some was held out, and of work done by several plans what each would have."""
    told = list(seen)
    return _measured(told) + [
        Offer(job_type, plan, _saving(logged, plan))
        for job_type, logged in sorted(_jobs(told).items())
        if len(plans := sorted({job.plan for job in logged})) > 1
        for plan in plans
    ]


def _measured(seen: Iterable[Seen]) -> list[Offer]:
    return [
        Offer(job_type, (), measured(found, np.random.default_rng(_SEED)))
        for job_type, found in sorted(trials(seen).items())
    ]


def _saving(logged: Sequence[Logged], plan: Plan) -> Saving | Refusal:
    """Estimate from the jobs whose choice was drawn, if they carry a number, else from all."""
    plans = {job.context: plan for job in logged}
    drawn = [job for job in logged if job.propensity is not None]
    told = saving(drawn, plans, np.random.default_rng(_SEED)) if drawn else None
    return told if isinstance(told, Saving) else saving(logged, plans, np.random.default_rng(_SEED))


def _jobs(seen: Iterable[Seen]) -> dict[str, list[Logged]]:
    """Put the stages of jobs together, by kind of job."""
    found: defaultdict[str, list[Logged]] = defaultdict(list)
    staged: defaultdict[tuple[str, int], list[Seen]] = defaultdict(list)
    for one in seen:
        if not one.model or one.job_type.startswith(VERIFIER):
            continue
        if one.route is not None and one.plan is not None and len(one.plan) > 1:
            staged[one.job_type, one.route].append(one)
        elif AFTER not in one.context:
            followed = one.plan is not None and word(one.model) in one.plan
            found[one.job_type].append(_logged([one], (one.model,), one.propensity if followed else None))
    for (job_type, _), stages in staged.items():
        if (job := _staged(stages)) is not None:
            found[job_type].append(job)
    return found


def _staged(stages: Sequence[Seen]) -> Logged | None:
    """Put the stages of one job together; None where the advice was not followed, or for more than one job."""
    plan = tuple(stages[0].plan or ())
    by_model = {word(one.model): one for one in stages}
    used = plan[: len(stages)]
    if len(by_model) < len(stages) or set(by_model) != set(used):
        return None
    return _logged([by_model[model] for model in used], plan, stages[0].propensity)


def _logged(stages: Sequence[Seen], plan: Plan, propensity: float | None) -> Logged:
    """The last stage tells whether the job succeeded; all of them cost."""
    costs = [one.cost_cents for one in stages]
    known = [cost for cost in costs if cost is not None]
    return Logged(
        day=stages[0].day,
        context=context_of(stages[0]),
        plan=plan,
        succeeded=stages[-1].succeeded,
        cost_cents=sum(known) if len(known) == len(costs) else None,
        propensity=propensity,
    )
