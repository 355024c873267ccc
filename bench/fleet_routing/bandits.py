"""Other ways to choose a single model, each named as what it is; all are told the truth of every outcome."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from bench.fleet_routing.fleets import Job, drawn
from bench.queues.peers import Peer, python_of
from bench.routing_worlds import Instance, World, day_of

EPSILON: Final = 0.1
QUALITY: Final = 0.7
CHEAPNESS: Final = 0.3
"""What LiteLLM's router weighs success and cheapness with; the other two are rewarded by the same sum."""

_LITELLM: Final = Peer("litellm", ("litellm>=1.100",), {})
_OFFLINE: Final = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}


class Bandit(Protocol):
    """Chooses a model, and is told what came of it."""

    def pick(self) -> str:
        """Choose."""

    def learn(self, model: str, *, succeeded: bool) -> None:
        """Take in an outcome."""


Make = Callable[[World, int], Bandit]
"""Make one for the models of a world, from a seed."""


class _Means:
    """Mean reward of each model so far."""

    def __init__(self, world: World, seed: int) -> None:
        self._models = world.models
        self._rng = np.random.default_rng(seed)
        low, high = float(world.cents.min()), float(world.cents.max())
        cheap = [1 - (cents - low) / (high - low) if high > low else 0.5 for cents in world.cents.tolist()]
        self._cheap = dict(zip(world.models, cheap, strict=True))
        self._rewards: defaultdict[str, list[float]] = defaultdict(list)

    def learn(self, model: str, *, succeeded: bool) -> None:
        """Take in an outcome."""
        self._rewards[model].append(QUALITY * succeeded + CHEAPNESS * self._cheap[model])

    def _untried(self) -> str | None:
        return next((model for model in self._models if not self._rewards[model]), None)


class EpsilonGreedy(_Means):
    """Every model once, then the best so far, but for a tenth of the jobs any (Sutton and Barto, 2018, 2.2)."""

    def pick(self) -> str:
        """Choose."""
        if self._rng.random() < EPSILON:
            return str(self._rng.choice(self._models))
        return self._untried() or max(self._models, key=lambda one: float(np.mean(self._rewards[one])))


class Ucb1(_Means):
    """The highest upper bound (Auer et al., "Finite-time analysis of the multiarmed bandit problem", 2002)."""

    def pick(self) -> str:
        """Choose."""
        jobs = sum(map(len, self._rewards.values()))
        return self._untried() or max(self._models, key=lambda one: self._bound(one, jobs))

    def _bound(self, model: str, jobs: int) -> float:
        rewards = self._rewards[model]
        return float(np.mean(rewards) + np.sqrt(2 * np.log(jobs) / len(rewards)))


class _LiteLLM:
    """A bandit in the process that has LiteLLM."""

    def __init__(self, ask: Callable[..., Any], number: int) -> None:
        self._ask, self._number = ask, number

    def pick(self) -> str:
        """Choose."""
        return str(self._ask("pick", self._number))

    def learn(self, model: str, *, succeeded: bool) -> None:
        """Take in an outcome."""
        self._ask("learn", self._number, model, succeeded)


@contextmanager
def litellm() -> Iterator[tuple[str, Make]]:
    """Give LiteLLM's bandit and its version, from an environment of its own; raises `bench.fetching.Unavailable`."""
    python, version = python_of(_LITELLM)
    program = Path(__file__).with_name("peer_litellm.py")
    with subprocess.Popen(
        [python, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **_OFFLINE}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        made = 0

        def ask(*words: object) -> Any:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps(words), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        def make(world: World, seed: int) -> Bandit:
            nonlocal made
            made += 1
            ask("make", made, seed, dict(zip(world.models, world.cents.tolist(), strict=True)))
            return _LiteLLM(ask, made)

        yield version, make
        process.stdin.close()


def play(machines: Sequence[Instance], bandits: Sequence[Bandit], numbers: Sequence[int]) -> list[Job]:
    """Have every machine do jobs with its bandit, which several may share."""
    return [_job(*pair, number) for number in numbers for pair in zip(machines, bandits, strict=True)]


def _job(one: Instance, bandit: Bandit, number: int) -> Job:
    language, difficulty = drawn(one)
    model = bandit.pick()
    succeeded, cents = one.perform(day_of(number), (model,), language, difficulty)
    bandit.learn(model, succeeded=succeeded)
    return Job(number, one.name, one.world, (model,), succeeded, cents)
