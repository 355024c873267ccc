from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralcloud.learning.confidence import REPOSITORIES_MAX, Z, votes, wilson_lower_bound

holdings = st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from([f"r{n}" for n in range(12)])), min_size=1)


@given(total=st.floats(0.5, 1e5), share=st.floats(0.001, 1))
def test_bound_solves_the_score_equation(total: float, share: float) -> None:
    """The definition: the share whose own standard error reaches, z times, from it to the observed share."""
    bound = float(wilson_lower_bound(share * total, total))
    assert share - bound == pytest.approx(Z * math.sqrt(bound * (1 - bound) / total), rel=1e-6, abs=1e-9)


def test_without_votes_nothing_is_sure() -> None:
    assert wilson_lower_bound([0, 3], [0, 3]).tolist() == [0.0, pytest.approx(3 / (3 + Z**2))]


@given(total=st.floats(0.1, 1e6), share=st.floats(0, 1))
def test_bound_lies_between_zero_and_the_rate(total: float, share: float) -> None:
    bound = float(wilson_lower_bound(share * total, total))
    assert 0.0 <= bound <= share + 1e-9


@given(total=st.floats(1, 1e4), share=st.floats(0.01, 1))
def test_more_votes_of_the_same_rate_are_surer(total: float, share: float) -> None:
    few, many = wilson_lower_bound([share * total, share * 2 * total], [total, 2 * total])
    assert many > few


@given(holdings)
def test_no_instance_has_more_votes_than_the_cap_and_no_repository_more_than_one(held: set[tuple[str, str]]) -> None:
    weights = votes(held)
    for one in {instance for instance, _ in held}:
        assert math.fsum(weight for (name, _), weight in weights.items() if name == one) <= REPOSITORIES_MAX + 1e-9
    for one in {repository for _, repository in held}:
        assert math.fsum(weight for (_, name), weight in weights.items() if name == one) <= 1 + 1e-9


def test_a_repository_is_one_vote_however_many_hold_it() -> None:
    weights = votes({("a", "shared"), ("b", "shared"), ("b", "own")})
    assert weights == {("a", "shared"): 0.5, ("b", "shared"): 0.5, ("b", "own"): 1.0}


def test_ten_repositories_of_one_instance_count_as_five() -> None:
    weights = votes({("a", f"r{n}") for n in range(10)})
    assert set(weights.values()) == {0.5}
