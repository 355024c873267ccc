"""Success that fleets lose on each job to the best single model, also when instances differ, lie, or models change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from statistics import mean
from typing import Final, NamedTuple, TypeVar

import numpy as np

from bench.fetching import Unavailable
from bench.fleet_routing import bandits
from bench.fleet_routing.bandits import EpsilonGreedy, Make, Ucb1
from bench.fleet_routing.fleets import Asked, InMemory, Job, generators, lies, mixed, play
from bench.fleet_routing.gains import same
from bench.fleet_routing.real import Fleet, Machine
from bench.fleet_routing.stage import Stage
from bench.report import print_expectation
from bench.routing_worlds import JOBS_PER_DAY, LANGUAGES, Instance, World, uniform
from instance.learning.routing.worlds import Constraints

SIZES: Final = (1, 2, 5, 10, 20)
JOBS: Final = 60
FLIP_JOBS: Final = 1000
RATIO_ASKED: Final = 5.0
WORSE_MAX: Final = 1.05
WRONG_MAX: Final = 0.2

_ASKED: Final = Asked(Constraints(stages_max=1), None)
_MIXED: Final = 10
_WRONG: Final = "m0"
"""The better one of two, until they change places."""

_tenants = (f"regret-{number}" for number in count())

M = TypeVar("M", bound=Instance)


class Setting(NamedTuple):
    """A fleet of the worlds of one seed."""

    size: int
    every: int | None = JOBS_PER_DAY
    """After how many jobs the hub is heard; None: never."""
    unlike: float = 0.0
    """Share of the instances whose models have other places."""
    lying: bool = False
    """Whether one more says what nobody can have seen."""


class Played(NamedTuple):
    """The same jobs, really done and in memory."""

    real: Sequence[Job]
    twin: Sequence[Job]

    def of(self, machines: int) -> Played:
        """Return those of the first machines."""
        names = {f"i{place}" for place in range(machines)}
        return Played(*([job for job in jobs if job.machine in names] for jobs in self))

    def later(self) -> Played:
        """Return those after the first day, in which nobody hears of others."""
        return Played(*([job for job in jobs if job.number >= JOBS_PER_DAY] for jobs in self))


class Regrets:
    """Plays fleets in the worlds of some seeds; who is alone in one fleet is so in every other."""

    def __init__(self, stage: Stage, seeds: Sequence[int]) -> None:
        self._stage = stage
        self._seeds = seeds
        self._alone: dict[tuple[int, float], Played] = {}

    async def compare(self, setting: Setting, worlds: int | None = None) -> float:
        """Print a line of a fleet and of its instances, each for itself; returns their ratio."""
        seeds = self._seeds[:worlds]
        alone = [await self._by_itself(seed, setting) for seed in seeds]
        pooled = [await self._play(seed, setting) for seed in seeds]
        what = ", 20 % unlike" * (setting.unlike > 0) + ", one more inflating" * setting.lying
        every = "" if setting.every == JOBS_PER_DAY else ", heard before each job"
        (apart, apart_twin), (together, together_twin) = map(_regrets, (alone, pooled))
        (apart_later, _), (together_later, _) = (_regrets([one.later() for one in each]) for each in (alone, pooled))
        print(
            f"{f'{setting.size} instances{what}{every}':38} {len(seeds):6} {f'{apart:.3f} ({apart_twin:.3f})':>15}"
            f" {f'{together:.3f} ({together_twin:.3f})':>15} {apart / together:5.1f}"
            f" {f'({apart_twin / together_twin:.1f})':>6} {apart_later / together_later:10.1f}"
            f" {mean(same(*one) for one in (*alone, *pooled)):5.0%}",
            flush=True,
        )
        return apart / together

    async def _by_itself(self, seed: int, setting: Setting) -> Played:
        if (seed, setting.unlike) not in self._alone:
            size = setting.size if setting.unlike else SIZES[-1]
            self._alone[seed, setting.unlike] = await self._play(seed, Setting(size, None, setting.unlike))
        return self._alone[seed, setting.unlike].of(setting.size)

    async def _play(self, seed: int, setting: Setting) -> Played:
        truth, shares = uniform(np.random.default_rng(seed)), setting.every is not None
        every = setting.every or JOBS_PER_DAY
        twins = InMemory(_machines(Instance, seed, setting), shares, lies(truth) if setting.lying else ())
        with self._stage.databases(setting.size + 1) as urls:
            fleet = Fleet(
                self._stage, next(_tenants), _machines(Machine, seed, setting), urls[: setting.size], shares=shares
            )
            await fleet.make_known()
            if setting.lying:
                await fleet.lie(truth, urls[-1])
            real = await play(fleet, _ASKED, range(JOBS), every=every)
        return Played(real, await play(twins, _ASKED, range(JOBS), every=every))


async def print_all(stage: Stage, seed: int, worlds: int) -> None:
    """Print what is regretted."""
    regrets = Regrets(stage, range(seed, seed + worlds))
    head = f"{'worlds':>6} {'alone':>15} {'pooled':>15} {'ratio':>12} {'from day 2':>10} {'same':>5}"
    print(f"\n{JOBS} jobs an instance\n{'success lost on each job (in memory)':38} {head}")
    for size in SIZES:
        ratio = await regrets.compare(Setting(size))
    print_expectation(f"20 alike: {ratio:.1f}x less than alone, asked >= {RATIO_ASKED:g}", met=ratio >= RATIO_ASKED)
    await regrets.compare(Setting(SIZES[-1], every=1), worlds=1)
    for setting in (Setting(_MIXED, unlike=0.2), Setting(_MIXED, lying=True)):
        worse = 1 / await regrets.compare(setting)
        print_expectation(f"{worse:.2f}x of alone, asked <= {WORSE_MAX}", met=worse <= WORSE_MAX)
    await _print_flip(stage, range(seed, seed + worlds))
    _print_bandits(range(seed, seed + worlds))


def _regrets(played: Sequence[Played]) -> tuple[float, float]:
    """Return the mean regret, really and in memory."""
    real, twin = (mean(_regret(getattr(one, name)) for one in played) for name in ("real", "twin"))
    return real, twin


def _machines(kind: Callable[[str, World, np.random.Generator], M], seed: int, setting: Setting) -> list[M]:
    worlds = mixed(seed, setting.size, setting.unlike)
    rngs = generators((seed,), setting.size)
    return [kind(f"i{place}", *one) for place, one in enumerate(zip(worlds, rngs, strict=True))]


def _regret(jobs: Sequence[Job]) -> float:
    return mean(job.regret for job in jobs)


async def _print_flip(stage: Stage, seeds: Sequence[int]) -> None:
    """Two models of 80 and 40 % change places half way, on an instance that is alone."""
    first, second = _flipping()
    halves = range(FLIP_JOBS // 2), range(FLIP_JOBS // 2, FLIP_JOBS)
    wrong = []
    for seed in seeds:
        machine = Machine("i0", first, np.random.default_rng([seed, 0]))
        with stage.databases(1) as urls:
            fleet = Fleet(stage, next(_tenants), [machine], urls, shares=False)
            await fleet.make_known()
            await play(fleet, _ASKED, halves[0])
            machine.world = second
            wrong.append(_wrong(await play(fleet, _ASKED, halves[1])))
    share = mean(wrong)
    print_expectation(
        f"after a flip {share:.0%} of the second half wrong, asked < {WRONG_MAX:.0%}", met=share < WRONG_MAX
    )


def _flipping() -> tuple[World, World]:
    odds = np.log([0.8 / 0.2, 0.4 / 0.6])
    before, after = (World(np.tile(one, (len(LANGUAGES), 1)), np.ones(2), 0.0) for one in (odds, odds[::-1]))
    return before, after


def _wrong(jobs: Sequence[Job]) -> float:
    return mean(job.plan == (_WRONG,) for job in jobs)


def _print_bandits(seeds: Sequence[int]) -> None:
    print(f"{'':38} {'alone':>6} {'one for all of 20':>18} {'wrong after a flip':>19}")
    _print_bandit(f"epsilon-greedy ({bandits.EPSILON:g})", EpsilonGreedy, seeds)
    _print_bandit("UCB1", Ucb1, seeds)
    try:
        with bandits.litellm() as (version, make):
            _print_bandit(f"LiteLLM {version}, adaptive router", make, seeds)
    except Unavailable as error:
        print(f"without LiteLLM: {error}")


def _print_bandit(name: str, make: Make, seeds: Sequence[int]) -> None:
    alone, pooled = (mean(_bandit_regret(make, seed, shared=shared) for seed in seeds) for shared in (False, True))
    wrong = mean(_bandit_flip(make, seed) for seed in seeds)
    print(f"{name:38} {alone:6.3f} {pooled:18.3f} {wrong:19.0%}", flush=True)


def _bandit_regret(make: Make, seed: int, *, shared: bool) -> float:
    size = SIZES[-1]
    machines = _machines(Instance, seed, Setting(size))
    made = [make(machines[0].world, seed + place) for place in range(1 if shared else size)]
    return _regret(bandits.play(machines, made * (size if shared else 1), range(JOBS)))


def _bandit_flip(make: Make, seed: int) -> float:
    first, second = _flipping()
    one = Instance("i0", first, np.random.default_rng([seed, 0]))
    bandit = [make(first, seed)]
    bandits.play([one], bandit, range(FLIP_JOBS // 2))
    one.world = second
    return _wrong(bandits.play([one], bandit, range(FLIP_JOBS // 2, FLIP_JOBS)))
