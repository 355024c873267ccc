"""What is known of models for a task: sums discounted, pooled over contexts and the fleet, each bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.results.rollup import NOTHING, Outcome, added
from instance.learning.routing.counts import known_models
from instance.learning.routing.evidence import REJECTION_SHIFT, ROOT_MASS, Evidence, evidence
from instance.learning.routing.ledger import EMPTY, History, fleet_ledger, history, ledger, tally
from instance.learning.routing.pooling import correlation
from instance.learning.routing.task import Task
from instance.learning.routing.verifier import FALSE_ACCEPTANCE, FALSE_REJECTION
from schemas.results import ResultSums
from schemas.routing import MASS_MAX, RoutingPrior, RoutingPriors

TODAY = date(2026, 3, 14)
GO, PYTHON = {"language": "go"}, {"language": "python"}


@dataclass(frozen=True)
class Row:
    model: str
    sums: ResultSums
    context: Mapping[str, str] = field(default_factory=dict)
    job_type: str = "fix"
    day: date = TODAY


def judged(succeeded: int, failed: int, latency_ms: int = 0) -> ResultSums:
    return ResultSums(results=succeeded + failed, succeeded=succeeded, failed=failed, latency_ms=latency_ms)


def known(*rows: Row, task: Task | None = None) -> Evidence:
    return evidence(task or Task("fix"), history(rows, TODAY))


def success(found: Evidence, model: str) -> tuple[float, float]:
    place = found.models.index(model)
    return float(found.first.mean[place]), float(found.first.mass[place])


def prior(model: str, sums: ResultSums, weight: float = 1.0) -> RoutingPrior:
    return RoutingPrior(job_type="fix", model=model, instances=9, sums=sums, weight=weight)


ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from("ab"),
        st.builds(judged, st.integers(0, 9), st.integers(0, 9), latency_ms=st.integers(0, 9)),
        st.sampled_from([GO, PYTHON, GO | {"after": "b"}]),
        day=st.integers(0, 99).map(lambda days: TODAY - timedelta(days=days)),
    ),
    max_size=12,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_what_was_said_changes_no_bit(rows: list[Row], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert ledger(shuffled, TODAY) == ledger(rows, TODAY)


def test_old_results_count_less_and_those_of_tomorrow_as_of_today() -> None:
    for days, weight in ((-1, 1.0), (0, 1.0), (10, 0.9**10)):
        row = Row("a", judged(1, 1), day=TODAY - timedelta(days=days))
        [counted] = ledger([row], TODAY, 0.9).cells.values()
        assert counted.succeeded == pytest.approx(weight)


def test_unlabelled_results_are_no_success() -> None:
    silent = ResultSums(results=1000, priced=1000, cost_microcents=10**9)
    with_them, without = known(Row("a", judged(1, 3)), Row("a", silent)), known(Row("a", judged(1, 3)))
    assert success(with_them, "a") == success(without, "a")
    assert with_them.cost.first.mean[0] == pytest.approx(1.0)
    assert not without.cost.first.mass[0]


def test_results_of_the_context_count_in_full() -> None:
    mean, mass = success(known(Row("a", judged(900, 100), GO), task=Task("fix", GO)), "a")
    assert mean == pytest.approx(0.9, abs=0.001)
    assert mass == pytest.approx(1002)


def test_other_contexts_lend_what_contexts_have_in_common() -> None:
    alike = [Row("a", judged(90, 10), {"language": name}) for name in ("rust", "java", "c")]
    unlike = [Row("b", judged(*rates), {"language": name}) for name, *rates in (("rust", 99, 1), ("java", 2, 98))]
    task = Task("fix", GO)
    mean, mass = success(known(*alike, task=task), "a")
    assert mean == pytest.approx(0.9, abs=0.02)
    assert 20 < mass <= 52
    assert success(known(*unlike, task=task), "b")[1] < 5


def test_a_word_the_task_lacks_parts_nothing() -> None:
    found = known(Row("a", judged(5, 5), GO), Row("a", judged(5, 5), PYTHON))
    assert success(found, "a")[1] == pytest.approx(22)


@given(st.floats(0.1, 0.9), st.integers(0, 2**32 - 1))
def test_contexts_that_do_not_matter_are_found_alike(rate: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = [[(float(rng.binomial(200, rate)), 200.0) for _ in range(8)]]
    assert correlation(groups) < 0.05


def test_contexts_that_decide_are_found_unlike() -> None:
    assert correlation([[(0.0, 50.0), (50.0, 50.0)]] * 3) > 0.9
    assert correlation([]) == pytest.approx(0.1)


def test_a_model_never_tried_is_taken_for_one_like_the_others() -> None:
    found = evidence(Task("fix"), history([Row("a", judged(90, 10))], TODAY), models=["a", "new"])
    assert success(found, "new") == pytest.approx((91 / 102, 2.0))


def test_what_the_hub_says_is_bounded_by_whoever_hears_it() -> None:
    said = RoutingPriors(day=TODAY, priors=(prior("a", judged(10**6, 0)),))
    found = evidence(Task("fix"), History(EMPTY), fleet_ledger(said, TODAY))
    assert found.first.mass[0] <= MASS_MAX + 2


def test_a_fleet_one_contradicts_loses_its_say() -> None:
    said = fleet_ledger(RoutingPriors(day=TODAY, priors=(prior("a", judged(49, 1)),)), TODAY)
    agreeing, contradicting = (
        evidence(Task("fix"), history([Row("a", sums)], TODAY), said) for sums in (judged(19, 1), judged(5, 15))
    )
    assert agreeing.first.mass[0] > 60
    mean, mass = success(contradicting, "a")
    assert mean == pytest.approx(0.29, abs=0.05)
    assert mass == pytest.approx(22, abs=1)


def test_a_past_the_last_days_contradict_is_given_up() -> None:
    past = Row("a", judged(160, 40), day=TODAY - timedelta(days=10))
    steady, changed = (known(past, Row("a", sums)) for sums in (judged(16, 4), judged(8, 22)))
    assert success(steady, "a")[1] > 150
    mean, mass = success(changed, "a")
    assert mean == pytest.approx(0.3, abs=0.05)
    assert mass < 40


def test_success_after_a_rejection_is_foretold_until_it_is_known() -> None:
    usual = Row("a", judged(80, 20)), Row("b", judged(80, 20))
    found = known(*usual)
    assert found.shift == pytest.approx(REJECTION_SHIFT)
    assert found.after.mean[0, 1] == pytest.approx(1 / (1 + np.exp(1 - np.log(4))), abs=0.01)
    assert found.after.mass[0, 1] < 10
    seen = known(*usual, Row("b", judged(150, 150), {"after": "a"}))
    assert seen.after.mean[0, 1] == pytest.approx(0.5, abs=0.01)
    assert seen.shift == pytest.approx(-np.log(4), abs=0.1)
    assert seen.after.mean[1, 0] == pytest.approx(0.5, abs=0.03)


def test_attempts_after_a_rejection_are_no_first_ones() -> None:
    found = known(Row("a", judged(8, 2)), Row("a", judged(0, 90), {"after": "b"}))
    assert success(found, "a")[1] == pytest.approx(12)


def test_a_verifier_is_known_by_what_was_true_in_the_end() -> None:
    rows = (
        Row("a", judged(80, 5), job_type="verifier.tests"),
        Row("a", ResultSums(results=45, succeeded=2, failed=18), job_type="verifier.tests.rejected"),
        Row("a", judged(1, 1)),
    )
    found = known(*rows, task=Task("fix", verifier="tests")).verifier
    assert found.false_acceptance == (1 + 5, 9 + 43)
    assert found.false_rejection == (1 + 2, 19 + 80 * 20 / 45)


def test_attempts_after_a_rejection_stand_for_rejections_nobody_recorded() -> None:
    rows = Row("a", judged(8, 1), job_type="verifier.tests"), Row("b", judged(3, 3), {"after": "a"})
    found = known(*rows, task=Task("fix", verifier="tests")).verifier
    assert found.false_acceptance == (1 + 1, 9 + 6)
    assert found.false_rejection == FALSE_REJECTION
    assert known(*rows, task=Task("fix", verifier="review")).verifier.false_acceptance == (1, 9 + 6)
    assert known(*rows).verifier.false_acceptance == FALSE_ACCEPTANCE


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=30))
def test_logarithms_are_read_from_the_sketch_or_the_moments(durations: list[int]) -> None:
    sums = added(NOTHING, [Outcome(None, "success", duration, None, duration) for duration in durations])
    logs = np.log(durations)
    read = tally(sums)
    assert read.log_latency == pytest.approx(logs.sum(), abs=0.011 * len(logs))
    assert read.log_cost == read.log_latency
    moments = tally(ResultSums(results=2, timed=2, latency_ms=300, latency_ms_squared=50_000.0))
    middle = moments.log_latency / 2
    spread = moments.log_latency_squares / 2 - middle**2
    assert np.exp(middle + spread / 2) == pytest.approx(150)


def test_an_attempt_after_a_rejection_is_dearer_where_it_was_seen_to_be() -> None:
    def costs(cents: int, number: int) -> ResultSums:
        return added(NOTHING, [Outcome(None, "failed", cents * 10**6)] * number)

    found = known(Row("a", costs(1, 50)), Row("b", costs(3, 50)), Row("a", costs(2, 50), {"after": "b"}))
    assert found.cost.after.mean == pytest.approx([2.0, 5.7], abs=0.1)
    assert found.cost.after.mass[1] < 5


def test_models_without_a_name_or_a_result_are_none() -> None:
    rows = Row("unknown", judged(1, 0)), Row("other", judged(1, 0)), Row("gone", judged(0, 0)), Row("a", judged(1, 0))
    assert known(*rows).models == ("a",)


def test_models_asked_for_by_name_are_there_before_anybody_has_tried_them() -> None:
    seen = history([Row("a", judged(8, 2)), Row("b", judged(1, 0))], TODAY)
    assert known_models(Task("fix"), seen, {"new", "a"}) == ("a", "b", "new")
    found = evidence(Task("fix"), seen, models=("a", "b", "new"))
    assert 0.5 < found.first.mean[2] < 0.9
    assert found.first.mass[2] == ROOT_MASS
    assert known_models(Task("docs"), seen, {"new"}) == (), "there is nothing to hold them against"


def test_of_too_many_models_those_asked_for_by_name_are_kept_and_those_with_most_results() -> None:
    seen = history([Row(f"m{number:02}", judged(number, 0)) for number in range(1, 15)], TODAY)
    assert known_models(Task("fix"), seen, {"new", "m01"}) == ("m01", *(f"m{n:02}" for n in range(7, 15)), "new")
