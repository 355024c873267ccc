"""What the queue writes as JSON, and what it understands of what is said on its channel."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.jobs import kinds, signals
from shared.jobs.jsonb import DOCUMENT_BYTES_MAX, document, plain
from shared.jobs.outcome import DELAY_SECONDS_MAX, delay, failure
from shared.jobs.signals import EVERYTHING, Signal

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT)
def test_what_has_a_nul_or_half_a_character_is_refused_and_nothing_else(text: str) -> None:
    impossible = "\0" in text or any("\ud800" <= one <= "\udfff" for one in text)
    if impossible:
        with pytest.raises(UsageError):
            document([text])
    else:
        assert json.loads(document([text])) == [text]


@pytest.mark.parametrize(("value", "message"), [(object(), "type object"), ("x" * DOCUMENT_BYTES_MAX, "in a table")])
def test_what_is_no_json_or_too_much_of_it_is_refused(value: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        document(value)


@given(ANY_TEXT, st.integers(4, 50))
def test_any_text_can_be_made_one_that_is_kept(text: str, most: int) -> None:
    kept = plain(text, most)
    assert document(kept)
    if len(text) > most:
        assert kept.startswith("...")


@given(ANY_TEXT)
def test_any_error_can_be_kept(message: str) -> None:
    entry = failure(3, ValueError(message))
    assert document(entry)
    assert (entry["attempt"], entry["type"]) == (3, "ValueError")


@given(st.floats())
def test_any_delay_makes_sense_to_the_database(seconds: float) -> None:
    assert 0 <= delay(seconds) <= DELAY_SECONDS_MAX


@given(st.integers(1, 10_000))
def test_the_backoff_grows_to_a_day_and_is_jittered_by_a_tenth(attempt: int) -> None:
    wanted = min(86_400.0, 15 * 2.0 ** min(attempt - 1, 40))
    assert math.isclose(kinds.backoff(attempt), wanted, rel_tol=0.101)


@pytest.mark.parametrize("said", ["", "look!", "[]", '{"queues": 3}', "{"])
def test_what_cannot_be_understood_means_that_anything_may_have_changed(said: str) -> None:
    assert signals.read(said) == EVERYTHING


def test_what_is_said_is_understood() -> None:
    assert signals.read(signals.look("a", "b")) == Signal(queues=("a", "b"))
    assert signals.read(signals.due()) == Signal(due=True)
    assert signals.read(signals.cancelled([1, 2])) == Signal(cancelled=(1, 2))
    assert signals.read(signals.cancelled(range(10_000))) == EVERYTHING
    assert signals.read('{"queues": ["a"], "of a later release": 1}') == Signal(queues=("a",))
