"""Simulated machines for `routing_math`: tasks of shared difficulty, models that cost the more the abler they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from centralcloud.learning.routing import priors
from instance.learning.results.rollup import NOTHING, Outcome, added
from instance.learning.routing.choice import choose
from instance.learning.routing.evidence import evidence
from instance.learning.routing.ledger import EMPTY, Ledger, fleet_ledger, history
from instance.learning.routing.task import AFTER, Plan, Task
from instance.learning.routing.worlds import Constraints
from schemas.results import ResultSums

LANGUAGES: Final = ("go", "python", "rust")
JOBS_PER_DAY: Final = 10
"""The hub is heard once a day."""

_START: Final = date(2026, 1, 1)
_NOISE, _HARDER = 0.5, 0.3  # of the logarithm of a cost: deviation, and per unit of difficulty
_TASKS: Final = 20_000

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Row:
    """What an instance says of one day, kind of job, model and context."""

    instance: str
    day: date
    job_type: str
    model: str
    context: Mapping[str, str]
    sums: ResultSums


@dataclass(frozen=True)
class World:
    """How able (in log-odds, by language) and dear models are, and how much the difficulty of tasks varies."""

    ability: Floats
    cents: Floats
    spread: float
    false_acceptance: float = 0.0

    @property
    def models(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(f"m{place}" for place in range(self.ability.shape[1]))

    def rates(self, language: int, difficulty: float) -> Floats:
        """Success of each model on one task."""
        rates: Floats = 1 / (1 + np.exp(self.spread * difficulty - self.ability[language]))
        return rates

    def alone(self) -> tuple[Floats, Floats]:
        """Success and cents of each model on the average task."""
        difficulty = np.random.default_rng(0).standard_normal((_TASKS, 1))
        rates = [np.mean(1 / (1 + np.exp(self.spread * difficulty - one)), axis=0) for one in self.ability]
        return np.mean(rates, axis=0), self.cents * np.exp((_NOISE**2 + _HARDER**2) / 2)


@dataclass
class Instance:
    """One machine: its own sums and what it has heard from the hub."""

    name: str
    world: World
    rng: np.random.Generator
    sums: dict[tuple[date, str, str, tuple[tuple[str, str], ...]], ResultSums] = field(default_factory=dict)
    heard: Ledger = EMPTY
    days_before: int = 0

    def rows(self) -> list[Row]:
        """What it says."""
        return [
            Row(self.name, day, job_type, model, dict(context), sums)
            for (day, job_type, model, context), sums in self.sums.items()
        ]

    def note(self, day: date, job_type: str, model: str, context: Mapping[str, str], outcome: Outcome) -> None:
        """Record a result."""
        key = (day, job_type, model, tuple(sorted(context.items())))
        self.sums[key] = added(self.sums.get(key, NOTHING), [outcome])

    def job(self, number: int, constraints: Constraints, verifier: str | None) -> tuple[Plan, bool, float]:
        """Route and do one job; returns the plan, whether it succeeded, and what it cost."""
        day = day_of(number)
        language, difficulty = int(self.rng.integers(len(LANGUAGES))), float(self.rng.standard_normal())
        task = Task("fix", {"language": LANGUAGES[language]}, verifier)
        found = evidence(task, history(self.rows(), day), self.heard, self.world.models)
        plan = choose(found, constraints, self.rng).plan
        return plan, *self.perform(day, plan, language, difficulty)

    def perform(self, day: date, plan: Plan, language: int, difficulty: float) -> tuple[bool, float]:
        """Do a job by a plan and record every attempt and verdict."""
        rates, total, before, right = self.world.rates(language, difficulty), 0.0, "", False
        for model in plan:
            place = self.world.models.index(model)
            right = bool(self.rng.random() < rates[place])
            cents = self.world.cents[place] * np.exp(_NOISE * self.rng.standard_normal() + _HARDER * difficulty)
            total += float(cents)
            context = {"language": LANGUAGES[language]} | ({AFTER: before} if before else {})
            status = "success" if right else "failed"
            self.note(day, "fix", model, context, Outcome(None, status, round(cents * 1_000_000), None, 1000))
            accepted = right or self.rng.random() < self.world.false_acceptance
            if len(plan) > 1:
                verdict = "verifier.tests" if accepted else "verifier.tests.rejected"
                self.note(day, verdict, model, {}, Outcome(None, status))
            if accepted:
                break
            before = model
        return right, total


def day_of(number: int) -> date:
    """On which day a job is done."""
    return _START + timedelta(days=number // JOBS_PER_DAY)


def hear(fleet: Sequence[Instance], day: date, also: Sequence[Row] = ()) -> Ledger:
    """Return what the hub makes of all that instances say."""
    return fleet_ledger(priors([*(row for one in fleet for row in one.rows()), *also], day), day)


def varied(rng: np.random.Generator, models: int = 8, *, false_acceptance: float = 0.0) -> World:
    """Draw models: the abler the dearer, more or less, and some languages harder than others."""
    ability = np.sort(rng.normal(0.3, 1.0, models))
    cents = 10 * np.exp(0.9 * ability + 0.6 * rng.standard_normal(models))
    languages = rng.normal(0, 0.5, (len(LANGUAGES), 1)) + rng.normal(0, 0.4, (len(LANGUAGES), models))
    return World(ability + languages, cents, 2.0, false_acceptance)


def uniform(rng: np.random.Generator, models: int = 5) -> World:
    """Draw models of uniform success and one cost, whatever the task."""
    rates = rng.uniform(0.02, 0.98, models)
    return World(np.tile(np.log(rates / (1 - rates)), (len(LANGUAGES), 1)), np.ones(models), 0.0)
