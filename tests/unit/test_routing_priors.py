"""Priors of the fleet: each instance bounded, the whole worth the less the more they differ, the same in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralcloud.learning import routing
from centralcloud.learning.routing import priors
from instance.learning.results.rollup import NOTHING, Outcome, added
from schemas.codec import decode, encode
from schemas.results import ResultSums
from schemas.routing import MASS_MAX, RoutingPrior, RoutingPriors
from shared import sketch
from shared.results import flaw

TODAY = date(2026, 3, 14)
STATUSES = ["success", "failed", "unlabelled"]


@dataclass(frozen=True)
class Row:
    instance: str
    sums: ResultSums
    model: str = "m"
    job_type: str = "fix"
    day: date = TODAY
    context: Mapping[str, str] = field(default_factory=dict)


def judged(succeeded: int, failed: int) -> ResultSums:
    return ResultSums(results=succeeded + failed, succeeded=succeeded, failed=failed)


def only(said: RoutingPriors) -> RoutingPrior:
    [prior] = said.priors
    return prior


def mass(prior: RoutingPrior) -> float:
    return (prior.sums.succeeded + prior.sums.failed) * prior.weight


def rate(prior: RoutingPrior) -> float:
    return prior.sums.succeeded / (prior.sums.succeeded + prior.sums.failed)


def alike(instances: int, rates: list[float], results: int = 50) -> list[Row]:
    rng = np.random.default_rng(1)
    return [
        Row(f"i{number}", judged(found, results - found))
        for number in range(instances)
        if (found := int(rng.binomial(results, rates[number % len(rates)]))) >= 0
    ]


OUTCOMES = st.lists(
    st.builds(
        Outcome,
        st.none(),
        st.sampled_from(STATUSES),
        st.none() | st.integers(0, 10**9),
        st.none(),
        st.none() | st.integers(0, 10**6),
    ),
    max_size=20,
)
ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from(["i", "j", "k"]),
        OUTCOMES.map(lambda outcomes: added(NOTHING, outcomes)),
        st.sampled_from(["m", "n"]),
        day=st.integers(0, 40).map(lambda days: TODAY - timedelta(days=days)),
    ),
    max_size=8,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_priors_are_sums_that_can_be_true_in_any_order(rows: list[Row], random: Random) -> None:
    said = priors(rows, TODAY)
    random.shuffle(rows)
    assert priors(rows, TODAY) == said
    for prior in said.priors:
        assert flaw(prior.sums) is None
        assert mass(prior) <= MASS_MAX
    assert decode(encode(said), RoutingPriors) == said


def test_the_more_alike_instances_are_the_more_the_fleet_is_worth() -> None:
    same, split = only(priors(alike(20, [0.7]), TODAY)), only(priors(alike(20, [0.95, 0.4]), TODAY))
    assert mass(same) > 35
    assert mass(split) < 10
    assert rate(same) == pytest.approx(0.7, abs=0.05)


def test_an_instance_that_inflates_its_counts_is_hardly_heard() -> None:
    honest = alike(10, [0.3], 12)
    bent = only(priors([*honest, Row("liar", judged(10**9, 0))], TODAY))
    assert rate(bent) < 0.5
    assert mass(bent) < mass(only(priors(honest, TODAY)))


def test_a_distrusted_instance_counts_for_nothing() -> None:
    rows = [Row("i", judged(5, 5)), Row("liar", judged(10, 0))]
    assert rate(only(priors(rows, TODAY, trust={"liar": 0.0}))) == 0.5
    assert only(priors(rows, TODAY, trust={"liar": 0.0})).instances == 1


def test_a_large_instance_counts_more_than_a_small_one_but_not_in_proportion() -> None:
    found = only(priors([Row("large", judged(48, 12)), Row("small", judged(9, 9))], TODAY))
    assert (0.8 + 0.5) / 2 < rate(found) < 57 / 78


def test_old_results_count_less() -> None:
    new, old = (Row("i", judged(10, 0)), Row("j", judged(0, 10), day=TODAY - timedelta(days=30)))
    found = only(priors([new, old], TODAY, discount=0.9))
    assert rate(found) > 0.75


def test_costs_stay_what_they_were() -> None:
    costs = np.random.default_rng(1).lognormal(14, 1, 500).astype(int).tolist()
    sums = added(NOTHING, [Outcome(None, "unlabelled", cost, None, cost // 1000) for cost in costs])
    found = only(priors([Row("i", sums)], TODAY)).sums
    assert found.cost_microcents / found.priced == pytest.approx(np.mean(costs), rel=0.01)
    assert len(found.cost.buckets) <= routing.SKETCH_RANKS
    for share in (0.25, 0.5, 0.75):
        assert sketch.quantile(found.cost, share) == pytest.approx(np.quantile(costs, share), rel=0.2)


def test_kinds_of_jobs_and_contexts_stay_apart() -> None:
    rows = [Row("i", judged(1, 1)), Row("i", judged(1, 1), context={"after": "n"}), Row("i", judged(1, 1), "n")]
    assert len(priors(rows, TODAY).priors) == 3


def test_what_verifiers_of_others_accept_is_no_prior() -> None:
    assert not priors([Row("i", judged(9, 1), job_type="verifier.tests")], TODAY).priors


def test_more_cells_than_a_message_holds_leave_out_those_few_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "PRIORS_MAX", 1)
    rows = [Row("i", judged(9, 1), "a"), Row("i", judged(1, 1), "z"), Row("j", judged(1, 1), "z")]
    assert only(priors(rows, TODAY)).model == "z"
