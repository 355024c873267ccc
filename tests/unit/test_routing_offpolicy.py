"""What would have been saved: right where the truth is known, intervals that hold, or a reason for none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from statistics import mean

import numpy as np
import pytest

from instance.learning.routing.offpolicy import EFFECTIVE_MIN, Logged, Refusal, Saving, saving
from instance.learning.routing.outlook import Interval

START = date(2026, 1, 1)
BIG, SMALL = ("big",), ("small",)
SUCCESS = {("easy", BIG): 0.9, ("easy", SMALL): 0.85, ("hard", BIG): 0.7, ("hard", SMALL): 0.3}
CENTS = {("easy", BIG): 10.0, ("easy", SMALL): 2.0, ("hard", BIG): 20.0, ("hard", SMALL): 6.0}
TARGET = {"easy": SMALL, "hard": SMALL}
SHARES = {"easy": 0.5, "hard": 0.2}
"""How often the small model was used."""

SAVED = mean([(1 - SHARES[one]) * (CENTS[one, BIG] - CENTS[one, SMALL]) for one in SHARES])
GAINED = mean([(1 - SHARES[one]) * (SUCCESS[one, SMALL] - SUCCESS[one, BIG]) for one in SHARES])


def history(rng: np.random.Generator, jobs: int = 400, days: int = 20) -> list[Logged]:
    return [logged(rng, START + timedelta(days=int(rng.integers(days)))) for _ in range(jobs)]


def logged(rng: np.random.Generator, day: date) -> Logged:
    context = "easy" if rng.random() < 0.5 else "hard"
    plan = SMALL if rng.random() < SHARES[context] else BIG
    share = SHARES[context] if plan == SMALL else 1 - SHARES[context]
    cents = CENTS[context, plan] * rng.lognormal(-0.125, 0.5)
    return Logged(day, context, plan, bool(rng.random() < SUCCESS[context, plan]), float(cents), share)


def estimated(jobs: list[Logged]) -> Saving:
    found = saving(jobs, TARGET, np.random.default_rng(1))
    assert isinstance(found, Saving)
    return found


def holds(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def without_propensities(jobs: list[Logged]) -> list[Logged]:
    return [replace(job, propensity=None) for job in jobs]


@pytest.mark.parametrize(("method", "seen"), [("doubly robust", list), ("direct", without_propensities)])
def test_nineteen_of_twenty_intervals_hold_the_truth(method: str, seen: Callable[[list[Logged]], list[Logged]]) -> None:
    found = [estimated(seen(history(np.random.default_rng(seed)))) for seed in range(200)]
    assert {one.method for one in found} == {method}
    for truth, intervals in ((SAVED, [one.saved_cents for one in found]), (GAINED, [one.success for one in found])):
        assert mean([holds(one, truth) for one in intervals]) >= 0.9
        assert mean([one.expected for one in intervals]) == pytest.approx(truth, abs=0.1 * abs(truth))


def test_propensities_repair_what_the_contexts_hide() -> None:
    """Jobs of both kinds are called the same: the model is wrong, and only the propensities tell."""
    jobs = [replace(job, context="all") for seed in range(10) for job in history(np.random.default_rng(seed))]
    robust, direct = (
        saving(some, {"all": SMALL}, np.random.default_rng(1)) for some in (jobs, without_propensities(jobs))
    )
    assert isinstance(robust, Saving)
    assert isinstance(direct, Saving)
    assert holds(robust.saved_cents, SAVED)
    assert not holds(direct.saved_cents, SAVED)


def test_what_was_done_anyway_changes_nothing() -> None:
    jobs = [replace(job, plan=SMALL, propensity=None) for job in history(np.random.default_rng(1))]
    found = estimated(jobs)
    assert found.saved_cents == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_few_choices_of_small_propensity_count_as_few() -> None:
    jobs = history(np.random.default_rng(1))
    rare = [replace(job, propensity=0.01) if number % 40 == 0 else job for number, job in enumerate(jobs)]
    assert estimated(rare).effective < estimated(jobs).effective


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda jobs: [replace(job, plan=BIG) for job in jobs], "no overlap"),
        (lambda jobs: [replace(job, day=START) for job in jobs], "only 1 days"),
        (lambda jobs: [job for job in jobs[:90] if job.context == "easy"], f"{EFFECTIVE_MIN:.0f} are needed"),
        (lambda jobs: [replace(job, succeeded=None) for job in jobs], "label results"),
        (lambda jobs: [replace(job, context="else") for job in jobs], "label results"),
    ],
)
def test_data_that_cannot_carry_a_number_get_none(change: Callable[[list[Logged]], list[Logged]], reason: str) -> None:
    found = saving(change(history(np.random.default_rng(1))), TARGET, np.random.default_rng(1))
    assert isinstance(found, Refusal)
    assert reason in found.reason


def test_contexts_without_overlap_are_left_out_and_said() -> None:
    jobs = history(np.random.default_rng(1))
    easy, hard = ([job for job in jobs if job.context == context] for context in ("easy", "hard"))
    never_small = [replace(job, plan=BIG) for job in hard[:50]]
    found = estimated([*easy, *never_small])
    assert found.jobs == len(easy)
    assert found.covered == pytest.approx(len(easy) / (len(easy) + 50))
