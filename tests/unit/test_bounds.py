"""The other bound of a share is found again from the share and its lower bound alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralcloud.learning.confidence import upper_bound, wilson_interval


@given(st.integers(1, 5_000), st.floats(0.02, 1.0))
def test_the_upper_bound_follows_from_the_lower(votes: int, share: float) -> None:
    lower, upper = wilson_interval(share * votes, votes)
    assert upper_bound(share, lower) == pytest.approx(upper, abs=1e-6)
    assert lower <= share <= upper + 1e-12


@given(st.integers(2, 1_000), st.floats(0.05, 1.0))
def test_it_is_found_from_what_an_insight_tells_which_is_rounded(votes: int, share: float) -> None:
    lower, upper = wilson_interval(share * votes, votes)
    assert upper_bound(round(share, 4), round(lower, 4)) == pytest.approx(upper, abs=1e-2)


def test_bounds_that_say_nothing_stay_where_they_are() -> None:
    assert upper_bound(0.5, 0.5) == 0.5
    assert upper_bound(0.3, 0.0) == 0.3
    assert upper_bound(1.0, 0.4) == 1.0
