"""How stale a replica is said to be: never less than it is."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from shared.staleness import NOTES_MAX, Lag, Note, Notes, Standing

STEPS = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 100)), min_size=2, max_size=40)
"""What happens between two looks: tenths of a second, and bytes written at their end, before the look."""


def noted(steps: list[tuple[int, int]]) -> tuple[Notes, list[Note]]:
    """The notes of a primary that wrote so."""
    times = accumulate(tenths for tenths, _ in steps)
    places = accumulate(size for _, size in steps)
    all_notes = [Note(float(at), place) for at, place in zip(times, places, strict=True)]
    notes = Notes()
    for note in all_notes:
        notes.add(note)
    return notes, all_notes


def at(place: int, shown_seconds: float = 0.0) -> Standing:
    return Standing(place, follows=True, started=0.0, shown_seconds=shown_seconds)


@given(steps=STEPS, data=st.data(), primary_answers=st.booleans())
def test_what_is_not_shown_was_written_no_longer_ago_than_is_said(
    steps: list[tuple[int, int]], data: st.DataObject, *, primary_answers: bool
) -> None:
    notes, written = noted(steps)
    place = data.draw(st.integers(written[0].place, written[-1].place + 50))
    now = written[-1].at + data.draw(st.floats(0, 5))
    lag = notes.lag(at(place), now, primary_answers=primary_answers)
    missing = [now - note.at for note in written if note.place > place]
    assert lag.seconds >= max(missing, default=0.0) - 0.001
    assert lag.bytes == max(0, written[-1].place - place)
    if primary_answers:
        assert (lag.bytes == 0) == (lag == Lag(0.0, 0))


def test_while_nobody_knows_where_the_primary_is_it_may_be_further_with_every_second() -> None:
    notes, written = noted([(10, 100), (10, 100)])
    assert [notes.lag(at(200), written[-1].at + later, primary_answers=False).seconds for later in (0, 7)] == [0, 7]


def test_further_behind_than_is_remembered_it_is_as_stale_as_its_last_change() -> None:
    notes, _ = noted([(1, 1)] * (NOTES_MAX + 100))
    now = float(NOTES_MAX + 100)
    assert notes.lag(at(50, shown_seconds=5_000.0), now, primary_answers=True).seconds == 5_000.0
    assert notes.lag(at(50, shown_seconds=1.0), now, primary_answers=True).seconds == NOTES_MAX - 1


def test_after_a_failover_that_lost_something_the_log_goes_on_from_before() -> None:
    notes, written = noted([(1, 100), (1, 100), (1, 100)])
    notes.add(Note(4.0, 150))
    assert notes.lag(at(150), 4.0, primary_answers=True) == Lag(0.0, 0)
    assert notes.lag(at(120), 5.0, primary_answers=True) == Lag(5.0 - written[0].at, 30)
