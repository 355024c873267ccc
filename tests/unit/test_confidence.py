from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralcloud.learning.confidence import (
    REPOSITORIES_MAX,
    Count,
    Poll,
    Voter,
    Z,
    decay,
    shares,
    wilson_lower_bound,
)

holdings = st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from([f"r{n}" for n in range(12)])), min_size=1)
voters = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=2),
    st.builds(Voter, st.floats(0.1, 50), st.sampled_from([0.25, 0.5, 0.75, 1.0, 0.3])),
    min_size=1,
)


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
def test_a_repository_is_one_vote_however_many_hold_it(held: set[tuple[str, str]]) -> None:
    votes = shares(held)
    for one in {repository for _, repository in held}:
        assert math.fsum(vote for (_, name), vote in votes.items() if name == one) == pytest.approx(1)
    assert shares({("a", "r"), ("b", "r"), ("b", "own")}) == {("a", "r"): 0.5, ("b", "r"): 0.5, ("b", "own"): 1.0}


@given(voters, st.data())
def test_no_instance_weighs_more_than_the_cap_and_no_share_leaves_zero_to_one(
    known: dict[str, Voter], data: st.DataObject
) -> None:
    yes = {name: data.draw(st.floats(0, 1)) * voter.repositories for name, voter in known.items()}
    found = Poll(known).count(yes)
    assert 0 <= found.positive <= found.total * (1 + 1e-12)
    assert found.total <= math.fsum(REPOSITORIES_MAX * voter.weight for voter in known.values()) + 1e-9


@given(voters, st.data())
def test_the_order_of_votes_changes_nothing(known: dict[str, Voter], data: st.DataObject) -> None:
    yes = {name: voter.repositories / 3 for name, voter in known.items()}
    shuffled = dict(data.draw(st.permutations(sorted(yes.items()))))
    reordered = dict(data.draw(st.permutations(sorted(known.items()))))
    assert Poll(reordered).count(shuffled) == Poll(known).count(yes)


def test_one_repository_each_is_one_vote_each() -> None:
    poll = Poll({name: Voter(1.0, 1.0) for name in "abcd"})
    assert poll.count({"a": 1.0, "b": 1.0}) == Count(2.0, 4.0)


def test_repositories_that_always_agree_count_as_few() -> None:
    known = {f"{n}": Voter(5.0, 1.0) for n in range(40)}
    agreeing = Poll(known).count({f"{n}": 5.0 for n in range(20)})
    mixed = Poll(known).count({f"{n}": 2.5 for n in range(40)})
    assert agreeing.positive / agreeing.total == mixed.positive / mixed.total == 0.5
    assert agreeing.total < 60  # of 200 repositories, as if each instance had hardly more than one
    assert mixed.total == 200


@pytest.mark.parametrize("correlation", [0.1, 0.3, 0.6])
def test_the_correlation_put_in_is_found(correlation: float) -> None:
    generator = np.random.default_rng(5)
    strength = (1 - correlation) / correlation
    known = {f"{n}": Voter(5.0, 1.0) for n in range(2_000)}
    rates = generator.beta(0.4 * strength, 0.6 * strength, len(known))
    yes = {name: generator.binomial(5, rate) / 5 for name, rate in zip(known, rates, strict=True)}
    assert Poll(known).correlation({name: float(rate) for name, rate in yes.items()}) == pytest.approx(
        correlation, abs=0.051
    )


def test_whoever_is_believed_less_weighs_less() -> None:
    poll = Poll({"a": Voter(1.0, 0.25), "b": Voter(1.0, 1.0)})
    assert poll.count({"a": 1.0}) == Count(0.25, 1.25)


def test_silence_halves_a_word_in_its_half_life() -> None:
    assert [decay(weeks, 70) for weeks in (0, 10, 20)] == [1.0, 0.5, 0.25]
