"""The share of cost that fleets save against the best single model, and what a new instance does from its first day."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import mean
from typing import Final, NamedTuple, TypeVar

import numpy as np

from bench.fetching import Unavailable
from bench.fleet_routing import bandits
from bench.fleet_routing.attainable import attainable
from bench.fleet_routing.bandits import EpsilonGreedy, Make, Ucb1
from bench.fleet_routing.fleets import Asked, InMemory, Job, against, generators, play, told
from bench.fleet_routing.gains import Gain, gain, same
from bench.fleet_routing.real import Fleet, Machine
from bench.fleet_routing.stage import Stage
from bench.report import print_expectation
from bench.routing_worlds import Instance, World, day_of, varied

FLEETS: Final = {1: 6, 3: 2, 10: 1, 30: 1, 100: 1}
"""Instances, and how many such fleets there are in each world, as in `routing_math`."""

ASKED: Final = {1: 0.29, 3: 0.33, 10: 0.39, 30: 0.37, 100: 0.40}
"""What plans of such fleets saved in a prototype on results of a public leaderboard: other worlds than these."""

NEWCOMERS: Final = 6
_NEW_ASKED: Final = 0.39
_FIRST_JOBS: Final = 20
_LARGE: Final = 10


M = TypeVar("M", bound=Instance)


class Way(NamedTuple):
    """How jobs are done: by one model or by a plan, with a verifier that accepts some of what is wrong."""

    name: str
    verifier: str | None
    accepts: float = 0.0


ONE: Final = Way("one model", None)
PLAN: Final = Way("plan", "tests")
ERRING: Final = Way("plan, 10 % accepted", "tests", 0.1)
WAYS: Final = (ONE, PLAN, ERRING)


class Scale(NamedTuple):
    """How much is simulated."""

    seed: int
    worlds: int
    large_worlds: int
    jobs: int
    instances_max: int

    def seeds(self, instances: int) -> range:
        """Return the seeds of the worlds that fleets of so many instances are played in."""
        return range(self.seed, self.seed + (self.worlds if instances <= _LARGE else self.large_worlds))


class _Played(NamedTuple):
    """The jobs of a world, really done and in memory, of instances and of newcomers."""

    real: list[Job]
    new: list[Job]
    twin: list[Job]
    new_twin: list[Job]


async def print_all(stage: Stage, scale: Scale) -> None:
    """Print what is saved, in each way, by fleets of each size."""
    head = f"{'really':>42} {'in memory':>14} {'same':>5} {'could be':>8} {'asked':>5}"
    print(f"\n{scale.jobs} jobs an instance; cost saved in percent (success in points) with 95 % intervals")
    print(f"{'instances':>9} {'way':20} {head}")
    for instances in (number for number in FLEETS if number <= scale.instances_max):
        for way in WAYS:
            await _print_row(stage, scale, instances, way)
    _print_bandits(scale)
    print("S0 spoke of 20 to 30 % alone and 40 to 50 % together, without a measurement; the table is what was measured")


async def _print_row(stage: Stage, scale: Scale, instances: int, way: Way) -> None:
    started = time.monotonic()
    played = [await _played(stage, scale, instances, way, seed) for seed in scale.seeds(instances)]
    found, twin = (gain([getattr(one, name) for one in played]) for name in ("real", "twin"))
    alike = mean(same(one.real, one.twin) for one in played)
    best = mean(attainable(_world(seed, way), 3 if way.verifier else 1) for seed in scale.seeds(instances))
    asked = f"{ASKED[instances]:5.0%}" if way is PLAN else ""
    print(f"{instances:9} {way.name:20} {found!s:>42} {_brief(twin):>14} {alike:5.0%} {best:8.0%} {asked:>5}"
          f"   {time.monotonic() - started:.0f} s", flush=True)  # fmt: skip
    if way is PLAN:
        met = found.saved.expected >= ASKED[instances] and found.is_as_good
        print_expectation(f"{instances} instances: at least {ASKED[instances]:.0%} at no less success", met=met)
    if played[0].new:
        _print_newcomers(played, way)


def _print_newcomers(played: Sequence[_Played], way: Way) -> None:
    whole, twin = gain([one.new for one in played]), gain([one.new_twin for one in played])
    first = gain([_earliest(one.new) for one in played])
    alike = mean(same(one.new, one.new_twin) for one in played)
    print(f"{'new':>9} {way.name:20} {whole!s:>42} {_brief(twin):>14} {alike:5.0%}", flush=True)
    print(f"{'':9} {f'its first {_FIRST_JOBS} jobs':20} {first!s:>42}")
    met = first.saved.expected >= _NEW_ASKED and first.is_as_good
    print_expectation(f"a new one: at least {_NEW_ASKED:.0%} from its first {_FIRST_JOBS} jobs on", met=met)


def _earliest(jobs: Sequence[Job]) -> list[Job]:
    first = min(job.number for job in jobs)
    return [job for job in jobs if job.number < first + _FIRST_JOBS]


async def _played(stage: Stage, scale: Scale, instances: int, way: Way, seed: int) -> _Played:
    played = _Played([], [], [], [])
    for number in range(FLEETS[instances]):
        case = Case((seed, number), instances, way, scale.jobs)
        for jobs, more in zip(played, (*await case.really(stage), *await case.in_memory()), strict=True):
            jobs += [replace(job, machine=f"{number}.{job.machine}") for job in more]
    return played


class Case(NamedTuple):
    """One fleet in one world, and newcomers who hear of it when it has done its jobs."""

    seed: tuple[int, int]
    instances: int
    way: Way
    jobs: int

    async def really(self, stage: Stage) -> tuple[list[Job], list[Job]]:
        """Have instances do the jobs, and then the newcomers as many."""
        machines, strangers = self._machines(Machine)
        with stage.databases(self.instances + len(strangers)) as urls:
            fleet = Fleet(stage, self._tenant, machines, urls[: self.instances], shares=self.instances > 1)
            await fleet.make_known()
            done = await play(fleet, self._asked, range(self.jobs))
            if not strangers:
                return done, []
            await stage.publish_priors(self._tenant, day_of(self.jobs))
            newcomers = Fleet(stage, self._tenant, strangers, urls[self.instances :], says=False)
            await newcomers.make_known()
            return done, await play(newcomers, self._asked, self._later)

    async def in_memory(self) -> tuple[list[Job], list[Job]]:
        """Play the same without servers."""
        machines, strangers = self._machines(Instance)
        done = await play(InMemory(machines, self.instances > 1), self._asked, range(self.jobs))
        newcomers = InMemory(strangers, shares=False, heard=told(machines, day_of(self.jobs)))
        return done, await play(newcomers, self._asked, self._later)

    def _machines(self, kind: Callable[[str, World, np.random.Generator], M]) -> tuple[list[M], list[M]]:
        new = NEWCOMERS if self.instances == _LARGE and self.way is PLAN else 0
        fleet, newcomers = generators(self.seed, self.instances), generators((*self.seed, 1), new)
        return (
            [kind(f"i{place}", self._world, rng) for place, rng in enumerate(fleet)],
            [kind(f"new{place}", self._world, rng) for place, rng in enumerate(newcomers)],
        )

    @property
    def _later(self) -> range:
        return range(self.jobs, 2 * self.jobs)

    @property
    def _world(self) -> World:
        return _world(self.seed[0], self.way)

    @property
    def _asked(self) -> Asked:
        return Asked(against(self._world), self.way.verifier)

    @property
    def _tenant(self) -> str:
        way = f"{'plan' if self.way.verifier else 'one'}-{self.way.accepts:.0%}".removesuffix("%")
        return f"{way}-{self.instances}-{self.seed[0]}-{self.seed[1]}"


def _world(seed: int, way: Way) -> World:
    return replace(varied(np.random.default_rng(seed)), false_acceptance=way.accepts)


def _brief(found: Gain) -> str:
    return f"{found.saved.expected:.0%} ({100 * found.success.expected:+.1f})"


def _print_bandits(scale: Scale) -> None:
    """Print what others save that choose one model, each instance for itself."""
    made: list[tuple[str, Make]] = [
        (f"epsilon-greedy ({bandits.EPSILON:g}) on single models", EpsilonGreedy),
        ("UCB1 on single models", Ucb1),
    ]
    for name, make in made:
        _print_bandit(scale, name, make)
    try:
        with bandits.litellm() as (version, make):
            _print_bandit(scale, f"LiteLLM {version}, bandit of its adaptive router", make)
    except Unavailable as error:
        print(f"without LiteLLM: {error}")


def _print_bandit(scale: Scale, name: str, make: Make) -> None:
    found = []
    for seed in scale.seeds(1):
        world = _world(seed, ONE)
        machines = [Instance(f"i{place}", world, rng) for place, rng in enumerate(generators((seed, 0), _LARGE))]
        found.append(bandits.play(machines, [make(world, seed + place) for place in range(_LARGE)], range(scale.jobs)))
    print(f"{'alone':>9} {name}: {gain(found)}", flush=True)
