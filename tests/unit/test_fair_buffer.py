"""The buffer of ingest: everyone has a turn, nothing is lost, and it never grows over its size."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from centralcloud.ingest.buffer import FairBuffer, Held
from schemas.envelope import EVENTS_MAX
from tests.support.flooding import held


def number(one: Held) -> int:
    return int(getattr(one.found, "first_seq", 0))


def filled(many: Sequence[Held], bytes_max: int = 1 << 20) -> tuple[FairBuffer, list[Held]]:
    buffer = FairBuffer(bytes_max)
    return buffer, [given_back for one in many for given_back in buffer.put(one)]


def test_a_single_event_goes_with_the_next_batch_however_many_another_has() -> None:
    buffer, _ = filled([held("flood", at, EVENTS_MAX) for at in range(1, 501)])
    buffer.take()
    buffer.put(held("quiet"))
    batch = buffer.take()
    assert [one.owner for one in batch].count("default.quiet") == 1
    assert sum(one.events for one in batch) <= 1000


def test_however_many_flood_who_comes_anew_is_in_the_next_batch_once() -> None:
    buffer, _ = filled([held(f"flood-{at % 50}", at, EVENTS_MAX) for at in range(500)])
    for _ in range(5):
        buffer.take()  # all fifty have had their first turn
    buffer.put(held("quiet", 1))
    buffer.put(held("quiet", 2))
    assert buffer.take()[0].owner == "default.quiet"
    buffer.put(held("quiet", 3))
    assert "default.quiet" not in [one.owner for one in buffer.take()], "it has its turn, as all have"


def test_a_batch_takes_one_of_each_in_turn() -> None:
    buffer, _ = filled([held(name, at, 2) for name in ("a", "b", "c") for at in (1, 2, 3)])
    batch = [one.owner[-1] for one in buffer.take(8)]
    assert batch == ["a", "b", "c", "a"]
    assert [one.owner[-1] for one in buffer.take(100)] == ["b", "c", "a", "b", "c"]


def test_an_envelope_larger_than_a_batch_is_one() -> None:
    buffer, _ = filled([held("a", 1, 50), held("b", 1, 50)])
    assert len(buffer.take(10)) == 1


def test_who_holds_most_gives_back_the_last_it_sent() -> None:
    size = held("flood", 1, 10).bytes
    many = [held("flood", at, 10) for at in range(1, 6)] + [held("quiet", 1, 10)]
    buffer, given_back = filled(many, 5 * size)
    assert [(one.owner, number(one)) for one in given_back] == [("default.flood", 5)]
    assert buffer.events == 50


def test_what_is_larger_than_the_buffer_is_taken_when_it_is_alone() -> None:
    buffer, given_back = filled([held("a", 1, 50)], 10)
    assert not given_back
    assert len(buffer.take()) == 1


MESSAGES = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 60), st.booleans()), max_size=60)


@given(MESSAGES, st.integers(200, 3000))
def test_nothing_is_lost_and_each_keeps_its_order(steps: Sequence[tuple[str, int, bool]], bytes_max: int) -> None:
    buffer = FairBuffer(bytes_max)
    taken: list[Held] = []
    given_back: list[Held] = []
    put = []
    for at, (name, events, takes) in enumerate(steps, 1):
        put.append(held(name, at, events))
        given_back += buffer.put(put[-1])
        assert sum(one.bytes for one in buffer) <= max([bytes_max, *(one.bytes for one in buffer)])
        assert buffer.events == sum(one.events for one in buffer)
        taken += buffer.take(100) if takes else []
    taken += buffer.clear()
    assert (buffer.events, buffer.owners, buffer.take()) == (0, 0, [])
    assert sorted(map(number, taken + given_back)) == sorted(map(number, put))
    for name in "abcd":
        mine = [number(one) for one in taken if one.owner == f"default.{name}"]
        assert mine == sorted(mine)
