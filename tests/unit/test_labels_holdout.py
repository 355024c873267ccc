"""What advice saved, measured against what a lot gave to the incumbent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pytest

from instance.learning.labels.holdout import Trial, measured, trials
from instance.learning.labels.offers import offers
from instance.learning.labels.summary import Seen
from instance.learning.routing.offpolicy import Refusal, Saving
from tests.support.history import BLANK, FIRST


def seen(route: int, model: str = "small", **fields: object) -> Seen:
    return BLANK._replace(
        day=FIRST + timedelta(days=route % 20), model=model, route=route, plan=["small", "large"], propensity=0.5,
        held_out=False, holdout=0.25, succeeded=True, cost_cents=1.0,
    )._replace(**fields)  # type: ignore[arg-type]  # fields of a job  # fmt: skip


def simulated(rng: np.random.Generator, jobs: int = 600) -> list[Trial]:
    """Advised jobs cost 4 cents less and succeed in 6 of 100 more; days differ, and the share held out changes."""
    day_cost = rng.normal(0.0, 2.0, 30)
    found = []
    for job in range(jobs):
        day, share = job % 30, 0.1 if job % 30 < 15 else 0.4
        held_out = bool(rng.random() < share)
        cost = 12.0 + day_cost[day] + 5.0 * (day < 15) + rng.exponential(3.0) - 4.0 * (not held_out)
        succeeded = bool(rng.random() < (0.74 if held_out else 0.8))
        chance = share if held_out else 1 - share
        found.append(Trial(FIRST + timedelta(days=day), held_out, chance, 1, cost, succeeded))
    return found


def test_the_difference_is_what_it_is_in_19_of_20_cases() -> None:
    rng = np.random.default_rng(7)
    held = {"saved": 0, "success": 0}
    middles = []
    for _ in range(100):
        told = measured(simulated(rng), rng)
        assert isinstance(told, Saving)
        held["saved"] += told.saved_cents.low < 4.0 < told.saved_cents.high
        held["success"] += told.success.low < 0.06 < told.success.high
        middles.append(told.saved_cents.expected)
    assert all(number >= 88 for number in held.values()), held
    assert np.mean(middles) == pytest.approx(4.0, abs=0.15), "though more was held out on the cheap days"


def test_advice_counts_whatever_was_done_with_it() -> None:
    followed = [seen(1), seen(2, succeeded=False), seen(2, "large", context={"after": "small"}, cost_cents=9.0)]
    ignored = [seen(3, "huge", cost_cents=40.0), seen(4), seen(4), seen(4, succeeded=None)]
    judged = [seen(1, job_type="verifier.tests", cost_cents=None), seen(5)._replace(held_out=None)]
    found = trials(followed + ignored + judged)
    assert list(found) == ["fix"]
    assert [(one.jobs, one.cost_cents, one.succeeded, one.chance) for one in found["fix"]] == [
        (1, 1.0, 1, 0.75), (1, 10.0, 1, 0.75), (1, 40.0, 1, 0.75), (3, 3.0, None, 0.75),
    ]  # fmt: skip


def test_what_cannot_be_told_apart_has_no_outcome() -> None:
    escalated = [seen(1), seen(1), seen(1, "large", context={"after": "small"})]
    assert [one.succeeded for one in trials(escalated)["fix"]] == [None]
    unknown = [seen(1, succeeded=False), seen(1, "large", context={"after": "small"}, succeeded=None)]
    assert [one.succeeded for one in trials(unknown)["fix"]] == [None]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"held_out": False}, "the jobs held out that have a known cost count as 0"),
        ({"cost_cents": None}, "have a known cost count as 0"),
        ({"succeeded": None}, "have a label count as 0"),
        ({"day": FIRST}, "on 1 days"),
    ],
)
def test_there_is_no_number_where_the_lot_cannot_carry_one(changed: Mapping[str, object], why: str) -> None:
    rng = np.random.default_rng(1)
    found = [one._replace(**changed) for one in simulated(rng)]  # type: ignore[arg-type]  # fields of a trial
    told = measured(found, rng)
    assert isinstance(told, Refusal)
    assert why in told.reason


def test_it_is_told_first_and_beside_the_estimates() -> None:
    advised = [seen(route, plan=["small"], cost_cents=3.0) for route in range(300)]
    held = [seen(route, "large", plan=["large"], cost_cents=20.0, held_out=True) for route in range(300, 400)]
    first, *others = offers(advised + held)
    assert (first.job_type, first.plan) == ("fix", ())
    assert isinstance(first.saving, Saving)
    assert first.saving.method == "measured"
    assert first.saving.saved_cents.expected == pytest.approx(17.0)
    assert [offer.plan for offer in others] == [("large",), ("small",)]
