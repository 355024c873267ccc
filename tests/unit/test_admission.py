from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from centralcloud.ingest.admission import Admission, merged, missing

ranges = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(ranges, st.integers(0, 20))
def test_every_sequence_is_accepted_once_whatever_arrives(arrivals: list[tuple[int, int]], wm: int) -> None:
    admission = Admission(wm, [])
    seen = set(range(1, wm + 1))
    for first, last in arrivals:
        new = admission.new(first, last)
        fresh = [seq for start, end in new for seq in range(start, end + 1)]
        assert sorted(fresh) == sorted(set(range(first, last + 1)) - seen)
        admission.admit(new)
        seen.update(fresh)
    contiguous = 0
    while contiguous + 1 in seen:
        contiguous += 1
    assert admission.wm == contiguous
    absent = {seq for first, last in admission.gaps for seq in range(first, last + 1)}
    assert absent == set(range(1, max(seen, default=0) + 1)) - seen


@given(ranges, st.randoms())
def test_the_order_of_arrival_does_not_matter(arrivals: list[tuple[int, int]], chance: random.Random) -> None:
    def outcome(order: list[tuple[int, int]]) -> tuple[int, list[tuple[int, int]]]:
        admission = Admission(0, [])
        for first, last in order:
            admission.admit(admission.new(first, last))
        return admission.wm, admission.beyond

    shuffled = arrivals.copy()
    chance.shuffle(shuffled)
    assert outcome(arrivals) == outcome(shuffled)


@given(ranges, st.integers(1, 40), st.integers(0, 40))
def test_missing_is_what_no_known_range_has(known: list[tuple[int, int]], first: int, length: int) -> None:
    last = first + length
    joined = merged(known)
    covered = {seq for start, end in joined for seq in range(start, end + 1)}
    found = {seq for start, end in missing(first, last, joined) for seq in range(start, end + 1)}
    assert found == set(range(first, last + 1)) - covered
