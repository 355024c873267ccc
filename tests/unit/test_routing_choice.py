"""Choosing plans: what they come to, constraints, propensities, and that a failed outcome moves the next decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instance.learning.results.rollup import NOTHING, Outcome, added
from instance.learning.routing.choice import Choice, choose
from instance.learning.routing.draws import Draws, draw
from instance.learning.routing.duration import durations_p95
from instance.learning.routing.evidence import Evidence, evidence
from instance.learning.routing.ledger import history
from instance.learning.routing.outlook import Outlook
from instance.learning.routing.plans import orders, outcome, outcomes, reached, without_repeats
from instance.learning.routing.task import Task
from instance.learning.routing.worlds import WORLDS, Constraints, Worlds, propensities
from schemas.results import ResultSums
from shared.errors import NotFoundError

TODAY = date(2026, 3, 14)
TASK = Task("fix", verifier="tests")
CONSTRAINTS = [
    Constraints(),
    Constraints(success_min=0.8),
    Constraints(success_min=0.999),
    Constraints(incumbent=("c",)),
    Constraints(incumbent=("b", "c"), exploration=1.0),
    Constraints(forbidden={"a"}),
    Constraints(stages_max=1, exploration=0.0),
    Constraints(latency_ms_p95_max=9000),
]


@dataclass(frozen=True)
class Row:
    model: str
    sums: ResultSums
    context: Mapping[str, str] = field(default_factory=dict)
    job_type: str = "fix"
    day: date = TODAY


def results(succeeded: int, failed: int, cents: float = 1.0, milliseconds: int = 1000) -> ResultSums:
    def one(status: str) -> Outcome:
        return Outcome(None, status, round(cents * 10**6), None, milliseconds)

    return added(NOTHING, [one("success")] * succeeded + [one("failed")] * failed)


ROWS = (
    Row("a", results(40, 60, 1)),
    Row("b", results(60, 40, 3, 2000)),
    Row("c", results(180, 20, 20, 5000)),
    Row("c", results(70, 30, 22, 5000), {"after": "a"}),
    Row("c", results(60, 40, 22, 5000), {"after": "b"}),
    Row("b", results(40, 60, 3, 2000), {"after": "a"}),
)


def known(*rows: Row, task: Task = TASK) -> Evidence:
    return evidence(task, history(rows or ROWS, TODAY))


def chosen(found: Evidence, constraints: Constraints, seed: int = 1) -> Choice:
    return choose(found, constraints, np.random.default_rng(seed))


def outlook_of(choice: Choice) -> Outlook:
    assert choice.outlook is not None
    return choice.outlook


def test_plans_come_to_what_playing_them_comes_to() -> None:
    rows = (*ROWS[:2], Row("c", results(140, 60, 20, 5000)), *ROWS[3:])  # more at once, and more would be left for it
    draws = draw(known(*rows), 1, np.random.default_rng(1)).expected
    rng = np.random.default_rng(2)
    played = 40_000
    first, after = draws.first[..., 0], draws.after[..., 0]
    accepts, rejects = float(draws.false_acceptance[0]), float(draws.false_rejection[0])
    success, cents = np.zeros(played), np.zeros(played)
    left = np.ones(played, dtype=bool)
    for stage, rate in enumerate((first[0], after[0, 1], after[1, 2])):
        cents[left] += float((draws.cost_after if stage else draws.cost_first)[stage, 0])
        right = rng.random(played) < rate
        accepted = np.where(right, rng.random(played) >= rejects, rng.random(played) < accepts)
        delivered = left & (accepted | (stage == 2))
        success[delivered] = right[delivered]
        left &= ~delivered
    foretold = outcome(draws, (0, 1, 2))
    assert foretold.success[0] == pytest.approx(success.mean(), abs=0.01)
    assert foretold.cost[0] == pytest.approx(cents.mean(), rel=0.01)


def test_all_plans_at_once_are_each_of_them() -> None:
    draws = draw(known(), 20, np.random.default_rng(1))
    made = outcomes(draws, 3)
    for place, order in enumerate(orders(3, 3)):
        one = outcome(draws, order)
        assert made.success[place] == pytest.approx(one.success, abs=1e-5)
        assert made.cost[place] == pytest.approx(one.cost, rel=1e-5)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.5]), st.sampled_from([0.0, 0.2]))
def test_trying_others_first_costs_no_more_success_than_the_verifier_errs(
    seed: int, accepts: float, rejects: float
) -> None:
    rng = np.random.default_rng(seed)
    rates = [np.full(9, rate) for rate in (accepts, rejects)]
    draws = Draws(rng.random((4, 9)), rng.random((4, 4, 9)), *rates, *np.ones((2, 4, 9)))
    for order in orders(4, 3):
        shares, success = reached(draws, order), outcome(draws, order).success
        before = draws.first[list(order)]
        assert (success >= before[-1] - accepts * np.sum(shares[:-1], axis=0) - 1e-9).all()
        assert (success <= np.minimum(before.sum(axis=0), 1) + 1e-9).all()
        if not accepts and not rejects:
            assert (success >= before.max(axis=0) - 1e-9).all()


def test_nothing_is_held_against_an_incumbent_hardly_tried() -> None:
    def choice(tried: int, **asked: Any) -> Choice:
        rows = (*ROWS[:2], *ROWS[5:], Row("c", results(tried, 0, 20, 5000)), Row("d", results(990, 10, 2)))
        return chosen(known(*rows), Constraints(incumbent=("c",), exploration=0.0, confidence=0.5, **asked))

    assert choice(1).plan == choice(4).plan == ("c",)
    assert "too little is known of it" in choice(4).reason
    assert choice(5).plan != ("c",)
    assert choice(4, success_min=0.9).plan != ("c",)
    assert choice(4, forbidden={"c"}).plan != ("c",)


def test_ten_models_make_820_plans() -> None:
    assert without_repeats(10, 3).sum() == 820


def test_the_slowest_twentieth_is_foretold() -> None:
    found = known()
    rng = np.random.default_rng(3)
    latency = found.latency._replace(spread=np.array([0.6, 0.3, 0.8]))
    draws = draw(found, 1, rng).expected
    rates = draws.first[..., 0], draws.after[..., 0]
    for order in ((0,), (0, 2), (2, 1, 0)):
        total, left = np.zeros(100_000), np.ones(100_000, dtype=bool)
        for stage, model in enumerate(order):
            mean, spread = (latency.after if stage else latency.first).mean[model], latency.spread[model]
            total[left] += (mean * np.exp(np.sqrt(spread) * rng.standard_normal(100_000) - spread / 2))[left]
            rate = rates[1][order[stage - 1], model] if stage else rates[0][model]
            left &= rng.random(100_000) < draws.rejected(np.array([rate]))[0]
        expected = float(np.quantile(total, 0.95))
        assert durations_p95(draws, latency, [order])[0] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("constraints", CONSTRAINTS)
def test_a_choice_obeys_what_was_asked(constraints: Constraints) -> None:
    for seed in range(5):
        choice = chosen(known(), constraints, seed)
        assert not set(choice.plan) & set(constraints.forbidden)
        assert len(set(choice.plan)) == len(choice.plan) <= constraints.stages_max
        assert 0 < choice.propensity <= 1
        outlook = outlook_of(choice)
        assert outlook.success.low <= outlook.success.expected <= outlook.success.high
        if constraints.latency_ms_p95_max is not None:
            assert outlook.latency_ms_p95 is not None
            assert outlook.latency_ms_p95 <= constraints.latency_ms_p95_max
        if constraints.success_min == 0.8 and choice.reason.startswith("the cheapest"):
            assert outlook.success.expected >= 0.8


def test_the_cheapest_that_is_good_enough_tries_the_cheap_models_first() -> None:
    choice = chosen(known(), Constraints(incumbent=("c",), success_min=0.65, exploration=0.0))
    assert choice.plan[0] != "c"
    assert len(choice.plan) > 1
    assert choice.against_incumbent is not None
    assert choice.against_incumbent.saved_cents is not None
    assert choice.against_incumbent.saved_cents.low > 0
    assert {one.plan for one in choice.alternatives}.isdisjoint({choice.plan})


def test_without_a_verifier_one_model_is_all() -> None:
    assert len(chosen(known(task=Task("fix")), Constraints()).plan) == 1


def test_a_model_of_unknown_cost_is_taken_for_dear_and_never_said_to_cost_nothing() -> None:
    free = ResultSums(results=100, succeeded=90, failed=10)
    choice = chosen(known(*ROWS[:2], Row("free", free)), Constraints(success_min=0.5, exploration=0.0, stages_max=1))
    assert choice.plan == ("b",)
    [unknown] = [one for one in choice.alternatives if one.plan == ("free",)]
    assert unknown.cost_cents is None
    assert unknown.latency_ms is None
    assert unknown.latency_ms_p95 is None


def test_without_any_cost_the_most_successful_is_chosen() -> None:
    rows = [Row("a", ResultSums(results=100, succeeded=90, failed=10)), Row("b", ResultSums(results=9, failed=9))]
    assert chosen(known(*rows), Constraints(stages_max=1, exploration=0.0)).plan == ("a",)


def test_pinned_switched_off_and_unknown() -> None:
    found, nothing = known(), evidence(TASK, history([], TODAY))
    assert chosen(found, Constraints(pinned=("b",))).plan == ("b",)
    assert chosen(found, Constraints(is_off=True, incumbent=("c",))).plan == ("c",)
    assert chosen(nothing, Constraints(incumbent=("c",))).plan == ("c",)
    for impossible in (Constraints(forbidden={"a", "b", "c"}), Constraints(is_off=True)):
        with pytest.raises(NotFoundError, match="name an incumbent"):
            chosen(found, impossible)


@given(st.sampled_from(CONSTRAINTS), st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_propensities_are_a_distribution(constraints: Constraints, seed: int) -> None:
    worlds = Worlds(known(), constraints, np.random.default_rng(seed))
    shares = propensities(worlds.expected(), worlds.best(), len(worlds.plans), constraints.exploration)
    assert shares.sum() == pytest.approx(1.0)
    assert not shares[~worlds.allowed].any()


def test_plans_are_chosen_as_often_as_their_propensity_says(monkeypatch: pytest.MonkeyPatch) -> None:
    class SameWorlds:
        """A generator whose possible worlds stay, while the lot is drawn anew."""

        def __init__(self) -> None:
            self.lots = np.random.default_rng(5)

        def integers(self, _: int) -> int:
            return 11

        def random(self) -> float:
            return float(self.lots.random())

    rng: Any = SameWorlds()
    found = known(*(replace(row, sums=results(3, 2, index + 1)) for index, row in enumerate(ROWS)))
    choices = [choose(found, Constraints(exploration=0.8), rng) for _ in range(1500)]
    often = Counter(choice.plan for choice in choices)
    said = {choice.plan: choice.propensity for choice in choices}
    assert len(said) > 3
    assert {choice.seed for choice in choices} == {11}
    for plan, share in said.items():
        assert often[plan] / 1500 == pytest.approx(share, abs=0.05)
        assert share >= 0.8 / WORLDS - 1e-9


@given(st.integers(0, 5), st.integers(1, 30), st.sampled_from(CONSTRAINTS), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_a_failure_moves_the_next_decision_and_its_correction_undoes_it(
    place: int, failures: int, constraints: Constraints, seed: int
) -> None:
    row = ROWS[place]
    failed = added(row.sums, [Outcome("success", "failed")] * failures)
    corrected = added(failed, [Outcome("failed", "success")] * failures)
    before, moved, after = (
        known(*ROWS[:place], replace(row, sums=sums), *ROWS[place + 1 :]) for sums in (row.sums, failed, corrected)
    )
    model = before.models.index(row.model)
    part = "after" if row.context else "first"
    where = (before.models.index(row.context["after"]), model) if row.context else (model,)
    assert getattr(moved, part).mean[where] < getattr(before, part).mean[where]
    assert chosen(before, constraints, seed) == chosen(after, constraints, seed)
    for name in ("first", "after"):
        for one, other in zip(getattr(before, name), getattr(after, name), strict=True):
            assert one.tobytes() == other.tobytes()


def test_one_failure_changes_the_choice() -> None:
    def rows(failed: int) -> tuple[Row, ...]:
        return Row("a", results(10 - failed, failed, 1)), Row("b", results(180, 20, 2))

    task, asked = Task("fix"), Constraints(exploration=0.0, success_min=0.85)
    plans = [chosen(known(*rows(failed), task=task), asked).plan for failed in (0, 1)]
    assert plans == [("a",), ("b",)]
