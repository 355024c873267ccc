"""What is foretold of plans, against what comes of them where some tasks are harder than others for every model."""

from __future__ import annotations

from itertools import permutations
from statistics import mean

import numpy as np
import pytest

from bench.fleet_routing.fleets import drawn
from bench.routing_worlds import LANGUAGES, Instance, World, day_of, varied
from instance.learning.routing.draws import draw
from instance.learning.routing.evidence import evidence
from instance.learning.routing.ledger import history
from instance.learning.routing.plans import outcome
from instance.learning.routing.task import Task

JOBS, TASKS, MODELS = 1500, 4000, 4
ORDERS = list(permutations(range(MODELS), 3))


def truths(world: World) -> list[float]:
    """Success of every plan whose verifier never errs: one of its models finds the answer."""
    missed = 1 - np.array([world.rates(0, one) for one in np.random.default_rng(9).standard_normal(TASKS)])
    return [float(1 - missed[:, order].prod(axis=1).mean()) for order in ORDERS]


def foretold(world: World, seed: int) -> list[float]:
    """Success of every plan as foretold from jobs done by plans in any order."""
    one = Instance("one", world, np.random.default_rng([seed, 0]))
    for _ in range(JOBS):
        _, difficulty = drawn(one)
        one.perform(day_of(0), tuple(one.rng.permutation(world.models)[:3].tolist()), 0, difficulty)
    task = Task("fix", {"language": LANGUAGES[0]}, "tests")
    found = evidence(task, history(one.rows(), day_of(0)), models=world.models)
    draws = draw(found, 1, np.random.default_rng(1)).expected
    return [float(outcome(draws, order).success[0]) for order in ORDERS]


def test_plans_of_three_are_foretold_to_be_about_what_they_are() -> None:
    surplus = []
    for seed in range(4):
        world = varied(np.random.default_rng(seed), MODELS)
        surplus += [said - true for said, true in zip(foretold(world, seed), truths(world), strict=True)]
    assert mean(surplus) == pytest.approx(0.0, abs=0.02)
    assert np.abs(surplus).max() < 0.1
