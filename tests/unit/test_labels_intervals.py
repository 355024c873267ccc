"""Intervals against published values and known truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.labels.intervals import quantile, ratio, share
from instance.learning.routing.offpolicy import Refusal, student
from instance.learning.routing.outlook import Interval


def found(told: Interval | Refusal) -> Interval:
    assert isinstance(told, Interval), told
    return told


@pytest.mark.parametrize(
    ("successes", "number", "low", "high"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_shares_as_published(successes: int, number: int, low: float, high: float) -> None:
    told = found(share(successes, number))
    assert told == pytest.approx((low, successes / number, high), abs=5e-5)


def test_of_nothing_there_is_no_share() -> None:
    assert share(0, 0) == Refusal("none is labelled success or failed")


@given(st.integers(1, 10_000).flatmap(lambda number: st.tuples(st.integers(0, number), st.just(number))))
def test_a_share_is_within_its_interval_and_that_within_0_and_1(told: tuple[int, int]) -> None:
    low, expected, high = found(share(*told))
    assert 0 <= low <= expected + 1e-12
    assert expected - 1e-12 <= high <= 1


@pytest.mark.parametrize(
    ("number", "probability", "low", "high"),
    [(6, 0.5, 1, 6), (10, 0.5, 2, 9), (100, 0.5, 40, 61), (1000, 0.5, 469, 532), (72, 0.95, 64, 72)],
)
def test_quantiles_lie_between_order_statistics(number: int, probability: float, low: int, high: int) -> None:
    told = found(quantile(range(number, 0, -1), probability))
    assert (told.low, told.high) == (low, high)
    held = sum(math.comb(number, k) * probability**k * (1 - probability) ** (number - k) for k in range(low, high))
    assert held >= 0.95


@pytest.mark.parametrize(("number", "probability", "needed"), [(5, 0.5, 6), (0, 0.5, 6), (71, 0.95, 72)])
def test_too_few_times_have_no_quantile(number: int, probability: float, needed: int) -> None:
    assert quantile(range(number), probability) == Refusal(f"{number} times are too few; {needed} are needed")


def test_quantiles_of_many_are_found_in_numbers_that_do_not_overflow() -> None:
    low, expected, high = found(quantile(range(200_000), 0.95))
    assert expected == 189_999
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(200_000 * 0.95 * 0.05), rel=0.02)


@pytest.mark.parametrize(("freedom", "t"), [(5, 2.5706), (6, 2.4469), (9, 2.2622), (29, 2.0452), (1000, 1.9623)])
def test_students_t_as_in_the_tables(freedom: int, t: float) -> None:
    assert student(freedom) == pytest.approx(t, abs=0.01)


def test_a_ratio_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, held, times = np.random.default_rng(7), 0, 300
    for _ in range(times):
        jobs, days = rng.poisson(6, 14) + 1, rng.normal(0, 0.3, 14)
        costs = [float(rng.lognormal(day, 1, number).sum()) for day, number in zip(days, jobs, strict=True)]
        low, _, high = found(ratio(costs, [float(rng.binomial(number, 0.6)) for number in jobs], rng))
        held += low <= math.exp(0.3**2 / 2 + 0.5) / 0.6 <= high
    assert 0.90 <= held / times <= 0.985


@pytest.mark.parametrize(
    ("above", "below", "reason"),
    [
        ([1.0] * 6, [1.0] * 6, "6 days with results are too few to tell how days differ; 7 are needed"),
        ([1.0], [1.0], "1 day with results are too few to tell how days differ; 7 are needed"),
        ([1.0] * 9, [0.0] * 5 + [1.0] * 4, "4 are too few to divide by; 5 are needed"),
        ([1.0] * 9, [0.0] * 8 + [9.0], "too few days have any"),
        ([0.0] * 9, [1.0] * 9, "all of it cost nothing"),
    ],
)
def test_a_ratio_is_refused_with_a_reason(above: list[float], below: list[float], reason: str) -> None:
    assert ratio(above, below, np.random.default_rng(0)) == Refusal(reason)


def test_the_same_days_give_the_same_interval() -> None:
    def told() -> Any:
        return ratio([3.0, 1, 4, 1, 5, 9, 2], [2.0, 7, 1, 8, 2, 8, 1], np.random.default_rng(3))

    assert found(told()) == told()
    assert told().expected == pytest.approx(25 / 29)
