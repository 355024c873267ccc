"""Laws of the sketch: merging in any order and grouping is sketching all at once, and quantiles are true to 1 %."""

from __future__ import annotations

import random
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode, encode
from schemas.results import INDEX_MAX, RELATIVE_ERROR, Sketch
from shared.sketch import flaw, merge, quantile, size, sketch

NUMBERS = st.lists(st.integers(0, 2**53), max_size=40)
ROUNDING = 1e-9


def exact(numbers: list[int], q: float) -> int:
    return sorted(numbers)[int(q * (len(numbers) - 1))]


@given(st.lists(NUMBERS, max_size=5), st.randoms())
def test_merging_in_any_order_and_grouping_is_sketching_all_at_once(
    groups: list[list[int]], chance: random.Random
) -> None:
    whole = sketch(chain.from_iterable(groups))
    parts = [sketch(group) for group in groups]
    chance.shuffle(parts)
    cut = chance.randint(0, len(parts))
    assert merge(parts) == whole
    assert merge([merge(parts[:cut]), merge(parts[cut:])]) == whole
    assert merge([merge(parts[cut:]), Sketch(), merge(parts[:cut])]) == whole
    assert size(whole) == sum(map(len, groups))
    assert flaw(whole) is None


@given(st.lists(st.integers(0, 2**53), min_size=1, max_size=200), st.floats(0, 1))
def test_every_quantile_is_true_to_one_percent(numbers: list[int], q: float) -> None:
    wanted = exact(numbers, q)
    assert quantile(sketch(numbers), q) == pytest.approx(wanted, rel=RELATIVE_ERROR + ROUNDING, abs=0.0)


@given(NUMBERS)
def test_sketches_survive_the_wire(numbers: list[int]) -> None:
    whole = sketch(numbers)
    assert decode(encode(whole), Sketch) == whole


def test_long_tails_keep_their_quantiles() -> None:
    chance = random.Random(7)  # noqa: S311 - reproducible
    numbers = [int(chance.paretovariate(1.1) * 1000) for _ in range(20_000)]
    whole = sketch(numbers)
    assert len(whole.buckets) < 600
    for q in (0.01, 0.5, 0.95, 0.99, 0.999, 1.0):
        assert quantile(whole, q) == pytest.approx(exact(numbers, q), rel=RELATIVE_ERROR + ROUNDING)


def test_the_ends_of_the_scale() -> None:
    assert sketch([2**53]).buckets == ((INDEX_MAX, 1),)
    assert sketch([2**80]).buckets == ((INDEX_MAX, 1),), "more counts as the most there is"
    assert sketch([0, 0.5, 1]) == Sketch(zeros=2, buckets=((0, 1),))
    assert quantile(sketch([0, 0, 7]), 0.5) == 0.0
    assert quantile(Sketch(), 0.5) is None


@pytest.mark.parametrize("buckets", [((2, 1), (1, 1)), ((1, 1), (1, 1)), ((1, 0),)])
def test_crooked_sketches_are_noticed(buckets: tuple[tuple[int, int], ...]) -> None:
    assert flaw(Sketch(buckets=buckets)) is not None
