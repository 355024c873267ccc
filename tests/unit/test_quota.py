"""Above its quota an instance waits, alone, and all of it comes in the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from centralcloud.ingest.buffer import RESTING_MESSAGES_MAX, FairBuffer
from centralcloud.ingest.quota import OWNERS_MAX, Quota
from tests.support.flooding import Clock, held


def test_an_allowance_is_spent_and_fills_up_within_a_minute() -> None:
    clock = Clock()
    quota = Quota(60, clock)
    assert quota.wait_seconds("one") == 0
    quota.spend("one", 100)
    assert quota.wait_seconds("one") == 40
    assert quota.wait_seconds("two") == 0
    clock.now += 40
    assert quota.wait_seconds("one") == 0
    clock.now += 3600
    quota.spend("one", 60)
    assert quota.wait_seconds("one") == 0
    quota.spend("one", 1)
    assert quota.wait_seconds("one") == 1


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 100)), max_size=60))
def test_never_more_than_a_minute_of_it_beyond_the_rate(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    quota, taken = Quota(600, clock), 0
    for seconds, events in steps:
        clock.now += seconds
        if quota.wait_seconds("one") == 0:
            quota.spend("one", events)
            taken += events
        assert taken <= 600 + 10 * (clock.now - 1000) + 100 + 1e-6


def test_not_all_that_ever_spoke_are_remembered() -> None:
    clock = Clock()
    quota = Quota(60, clock)
    for number in range(OWNERS_MAX):
        quota.spend(f"instance-{number}", 1)
    clock.now += 60
    quota.spend("last", 100)
    quota.spend("last", 1)
    assert len(quota) == 1
    assert quota.wait_seconds("last") > 0


def test_who_is_above_its_quota_rests_and_the_others_go_on() -> None:
    clock = Clock()
    buffer = FairBuffer(quota=Quota(60, clock))
    for at in range(1, 4):
        buffer.put(held("flood", at, 60))
    buffer.put(held("quiet", 1))
    assert [one.owner[8:] for one in buffer.take()] == ["flood", "quiet", "flood"]
    assert buffer.take() == []
    buffer.put(held("quiet", 2))
    assert [one.owner[8:] for one in buffer.take()] == ["quiet"]
    clock.now += 61
    assert [one.owner[8:] for one in buffer.take()] == ["flood"]
    assert buffer.events == 0


def test_only_a_little_of_who_rests_is_kept() -> None:
    clock = Clock()
    buffer = FairBuffer(quota=Quota(60, clock))
    buffer.put(held("flood", 1, 100))
    buffer.take()
    buffer.put(held("flood", 2, 100))
    assert not buffer.is_too_much(held("flood", 3, 100))
    for at in range(3, 2 + RESTING_MESSAGES_MAX):
        buffer.put(held("flood", at))
    assert buffer.is_too_much(held("flood", 100))
    assert not buffer.is_too_much(held("quiet", 1))
    clock.now += 61
    assert not buffer.is_too_much(held("flood", 100))


def test_what_is_cleared_is_all_of_it() -> None:
    buffer = FairBuffer(quota=Quota(60, Clock()))
    for at in range(1, 5):
        buffer.put(held("flood", at, 60))
    buffer.take()
    buffer.take()
    assert len(buffer.clear()) == 2
    buffer.put(held("quiet", 1))
    assert [one.owner[8:] for one in buffer.take()] == ["quiet"]
