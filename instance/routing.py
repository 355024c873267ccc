"""Advice on which models to try on a task: one's own results on top of the fleet's priors, and a record of it.

Advice and nothing else: whatever is done with it, the results recorded say what became of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec
import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.config import InstanceSettings
from instance.learning.results.words import word
from instance.learning.routing.choice import Choice, choose
from instance.learning.routing.counts import known_models
from instance.learning.routing.evidence import Evidence, evidence
from instance.learning.routing.ledger import EMPTY, fleet_ledger, history
from instance.learning.routing.outlook import Interval, Outlook
from instance.learning.routing.task import STAGES_MAX, WORDS, Plan, Task
from instance.learning.routing.verifier import REJECTED
from instance.learning.routing.worlds import Constraints
from instance.store import result_states, routing
from instance.store.routing import Record
from schemas.routing import VERIFIER
from schemas.routing_advice import Advice, Expectation, Gain, Range, RouteQuery
from shared.errors import UsageError

DAYS: Final = 90
"""Older results count less than a fifteenth of today's, and are not looked at."""

ROWS_MAX: Final = 1000
"""So many sums of a day, model and context are looked at, the latest: a day that fills hundreds has told enough."""

PRIORS_MAX: Final = 400
"""So many priors of the fleet, the nearest: eight models that were tried after each other have 64 in each context."""


def task_of(job_type: str, context: Mapping[str, str], verifier: str | None) -> Task:
    """Describe a task in the words its results are summed up by; `UsageError` for a word that tells nothing."""
    if strange := sorted(context.keys() - set(WORDS)):
        raise UsageError(f"{strange[0]} tells nothing about a choice; what does: {', '.join(WORDS)}")
    return Task(word(job_type), {name: word(value) for name, value in context.items()}, verifier)


def plan_of(models: str) -> Plan | None:
    """Read models separated by commas; None without any, `UsageError` when that is no plan."""
    plan = _models(models)
    if len(plan) > STAGES_MAX or len(set(plan)) < len(plan):
        raise UsageError(f"{models!r} is no plan: at most {STAGES_MAX} models, none of them twice")
    return plan or None


def constraints_of(
    settings: InstanceSettings,
    *,
    pinned: str | None = None,
    forbidden: Sequence[str] = (),
    incumbent: str | None = None,
    success_min: float | None = None,
    latency_seconds_max: float | None = None,
    exploration: float | None = None,
) -> Constraints:
    """Join the settings with what is asked of one choice, which comes first; models forbidden by either are.

    `UsageError` when they contradict each other.
    """
    always = plan_of(settings.routing_pinned if pinned is None else pinned)
    never = {word(model) for model in forbidden} | set(_models(settings.routing_forbidden))
    only = set(_models(settings.routing_only))
    if both := sorted(never & set(always or ())):
        raise UsageError(f"{both[0]} is pinned and forbidden; take one of them back")
    if only and (others := sorted(set(always or ()) - only)):
        raise UsageError(f"{others[0]} is pinned and not in `routing_only`; take one of them back")
    return Constraints(
        success_min=settings.routing_success_min if success_min is None else success_min,
        latency_ms_p95_max=None if latency_seconds_max is None else 1000 * latency_seconds_max,
        incumbent=plan_of(incumbent or ""),
        pinned=always,
        forbidden=frozenset(never),
        only=frozenset(only) or None,
        exploration=settings.routing_exploration if exploration is None else exploration,
        holdout=settings.routing_holdout,
        is_off=not settings.routing,
    )


async def answer(connection: AsyncConnection, settings: InstanceSettings, query: RouteQuery, *, by: str) -> Advice:
    """Advise a program that asks; `UsageError` or `NotFoundError` say what is wrong with what it asks."""
    constraints = constraints_of(
        settings,
        pinned=None if query.pinned is None else ",".join(query.pinned),
        forbidden=query.forbidden,
        incumbent=",".join(query.incumbent),
        success_min=query.success_min,
        latency_seconds_max=query.latency_seconds_max,
        exploration=query.exploration,
    )
    task = task_of(query.job_type, query.context, query.verifier)
    return await advise(connection, task, constraints, by=by, rng=np.random.default_rng())


async def known(connection: AsyncConnection, task: Task, today: date, named: Collection[str] = ()) -> Evidence:
    """Gather what is known for a task: results of this instance that are counted, and the fleet's priors.

    Models `named` may be tried before anybody has tried them.
    """
    kinds = [task.job_type]
    if task.verifier is not None:
        kinds += [VERIFIER + task.verifier, VERIFIER + task.verifier + REJECTED]
    here = await result_states.latest(connection, kinds, today - timedelta(days=DAYS - 1), ROWS_MAX)
    said = await routing.nearest(connection, kinds, task.context, PRIORS_MAX)
    own, fleet = history(here, today), fleet_ledger(said, today) if said is not None else EMPTY
    return evidence(task, own, fleet, known_models(task, (*own, fleet), named))


async def advise(
    connection: AsyncConnection, task: Task, constraints: Constraints, *, by: str, rng: np.random.Generator
) -> Advice:
    """Choose a plan and write down which; `NotFoundError` when nothing is known and there is no incumbent."""
    found = await known(connection, task, datetime.now(UTC).date(), constraints.only or ())
    choice = choose(found, constraints, rng)
    written = Record(
        job_type=task.job_type,
        context=task.context,
        verifier=task.verifier,
        plan=choice.plan,
        propensity=choice.propensity,
        seed=choice.seed,
        reason=choice.reason,
        held_out=choice.held_out,
        constraints=msgspec.to_builtins(constraints),
        chosen_by=by,
    )
    return _advice(choice, written, *await routing.record(connection, written))


def _advice(choice: Choice, written: Record, number: int, at: datetime) -> Advice:
    against = choice.against_incumbent
    return Advice(
        id=number,
        at=at,
        job_type=written.job_type,
        context=written.context,
        verifier=written.verifier,
        plan=choice.plan,
        reason=choice.reason,
        propensity=choice.propensity,
        seed=choice.seed,
        held_out=choice.held_out,
        expected=None if choice.outlook is None else _expectation(choice.outlook),
        against_incumbent=against and Gain(saved_cents=_range(against.saved_cents), success=Range(*against.success)),
        alternatives=tuple(map(_expectation, choice.alternatives)),
    )


def _expectation(outlook: Outlook) -> Expectation:
    return Expectation(
        plan=outlook.plan,
        success=Range(*outlook.success),
        cost_cents=_range(outlook.cost_cents),
        latency_ms=_range(outlook.latency_ms),
        latency_ms_p95=outlook.latency_ms_p95,
        propensity=outlook.propensity,
    )


def _range(interval: Interval | None) -> Range | None:
    return None if interval is None else Range(*interval)


def _models(text: str) -> Plan:
    return tuple(word(model) for model in text.split(",") if model.strip())
