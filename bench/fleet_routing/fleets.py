"""What every fleet does, whichever way it learns: the same tasks, in the same order, from the same seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, NamedTuple, Protocol

import numpy as np

from bench.routing_worlds import JOBS_PER_DAY, LANGUAGES, Instance, Row, World, day_of, uniform
from centralcloud.learning.routing import priors
from instance.learning.routing.choice import choose
from instance.learning.routing.evidence import evidence
from instance.learning.routing.ledger import EMPTY, Ledger, fleet_ledger, history
from instance.learning.routing.task import Plan, Task
from instance.learning.routing.worlds import Constraints
from schemas.results import ResultSums
from schemas.routing import RoutingPriors

MANY: Final = 10**6
"""So many results the liar makes up of each model and language."""


class Asked(NamedTuple):
    """What is asked of the choices of a fleet; without a verifier a plan is one model."""

    constraints: Constraints
    verifier: str | None


@dataclass(frozen=True)
class Job:
    """What one job came to, and the world it was done in."""

    number: int
    machine: str
    world: World
    plan: Plan
    succeeded: bool
    cents: float

    @property
    def regret(self) -> float:
        """Success lost to the best single model, where difficulty does not matter."""
        rates = self.world.rates(0, 0.0)
        return float(rates.max() - rates[self.world.models.index(self.plan[0])])


class Fleet(Protocol):
    """Machines that do jobs a round at a time; those that share hear the hub before each, and say what came of it."""

    async def round(self, numbers: Sequence[int], asked: Asked) -> list[Job]:
        """Do jobs of these numbers on every machine."""


async def play(fleet: Fleet, asked: Asked, numbers: range, *, every: int = JOBS_PER_DAY) -> list[Job]:
    """Have every machine do jobs, hearing the hub every so many of them."""
    return [done for at in range(0, len(numbers), every) for done in await fleet.round(numbers[at : at + every], asked)]


@dataclass
class InMemory:
    """The mathematics alone: sums in memory, and priors of them without a hub."""

    machines: Sequence[Instance]
    shares: bool
    lies: Sequence[Row] = ()
    heard: RoutingPriors | None = None
    """The last priors, which grow old where nothing is shared."""

    async def round(self, numbers: Sequence[int], asked: Asked) -> list[Job]:
        """Do jobs of these numbers on every machine."""
        day = day_of(numbers[0])
        if self.shares and numbers[0]:
            self.heard = told(self.machines, day, self.lies)
        fleet = EMPTY if self.heard is None else fleet_ledger(self.heard, day)
        return [_in_memory(one, fleet, number, asked) for one in self.machines for number in numbers]


def told(machines: Sequence[Instance], day: date, also: Sequence[Row] = ()) -> RoutingPriors:
    """Return what the hub makes of all that machines say."""
    return priors([*(row for one in machines for row in one.rows()), *also], day)


def _in_memory(one: Instance, fleet: Ledger, number: int, asked: Asked) -> Job:
    language, difficulty = drawn(one)
    task = Task("fix", {"language": LANGUAGES[language]}, asked.verifier)
    found = evidence(task, history(one.rows(), day_of(number)), fleet, one.world.models)
    plan = choose(found, asked.constraints, one.rng).plan
    return Job(number, one.name, one.world, plan, *one.perform(day_of(number), plan, language, difficulty))


def drawn(one: Instance) -> tuple[int, float]:
    """Draw a task of a machine: its language and its difficulty."""
    return int(one.rng.integers(len(LANGUAGES))), float(one.rng.standard_normal())


def generators(seed: Sequence[int], machines: int) -> list[np.random.Generator]:
    """Return what machines draw their tasks, choices and outcomes from."""
    return [np.random.default_rng([*seed, place]) for place in range(machines)]


def against(world: World) -> Constraints:
    """Ask for at least the success of the best single model, which is what would be used without advice."""
    return Constraints(incumbent=(world.models[int(world.alone()[0].argmax())],))


def mixed(seed: int, machines: int, unlike: float) -> list[World]:
    """Return a world of uniform success for each machine; in those of a share of them models have other places."""
    world = uniform(np.random.default_rng(seed))
    orders = [np.random.default_rng([seed, place, 1]).permutation(len(world.models)) for place in range(machines)]
    return [
        replace(world, ability=world.ability[:, order]) if place < unlike * machines else world
        for place, order in enumerate(orders)
    ]


def lies(world: World) -> list[Row]:
    """Return successes of the worst model and failures of all others, more than anybody can have seen."""
    worst = world.models[int(world.ability[0].argmin())]
    praise, blame = ResultSums(results=MANY, succeeded=MANY), ResultSums(results=MANY, failed=MANY)
    return [
        Row("liar", day_of(0), "fix", model, {"language": language}, praise if model == worst else blame)
        for model in world.models
        for language in LANGUAGES
    ]
