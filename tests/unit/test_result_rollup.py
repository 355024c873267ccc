"""Summing up results: one by one or at once, labels corrected, and what never leaves the machine."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.results.rollup import NOTHING, Outcome, Places, added, roll_up
from instance.learning.results.words import Key, key_of, other_of, word
from schemas.codec import decode, encode
from schemas.events import ResultsLearned
from schemas.results import ResultSums
from shared.results import flaw, merge

DAY = date(2026, 3, 14)
STATUSES = ["success", "failed", "timeout", "cancelled", "unlabelled"]
TOKENS = st.tuples(*[st.integers(0, 10**6)] * 5)
OUTCOMES = st.builds(
    Outcome,
    st.none(),
    st.sampled_from(STATUSES),
    st.none() | st.integers(0, 10**9),
    st.none() | TOKENS,
    st.none() | st.integers(0, 10**6),
)


def kinds(number: int) -> list[Key]:
    return [Key(DAY, f"job-{place}", "m", ()) for place in range(number)]


@given(st.lists(OUTCOMES, max_size=30), st.integers(1, 7))
def test_adding_in_rounds_is_adding_at_once(outcomes: list[Outcome], size: int) -> None:
    sums = NOTHING
    for start in range(0, len(outcomes), size):
        sums = added(sums, outcomes[start : start + size])
    assert sums == added(NOTHING, outcomes)
    assert flaw(sums) is None
    assert sums == merge(added(NOTHING, [outcome]) for outcome in outcomes) or not outcomes


@given(st.lists(OUTCOMES, min_size=1, max_size=9), st.lists(st.sampled_from(STATUSES), max_size=5))
def test_correcting_a_label_undoes_it_exactly(outcomes: list[Outcome], corrections: list[str]) -> None:
    before = added(NOTHING, outcomes)
    first = outcomes[0].status
    path = [first, *corrections, first]
    sums = before
    for was, now in pairwise(path):
        sums = added(sums, [Outcome(was, now, 5, (1, 1, 1, 1, 1), 7)])
        assert flaw(sums) is None
        assert sums.succeeded - before.succeeded == (now == "success") - (first == "success")
    assert sums == before


def test_the_fields_add_up() -> None:
    sums = added(
        NOTHING,
        [
            Outcome(None, "success", 1_500_000, (1, 2, 3, 4, 5), 30),
            Outcome(None, "timeout", 0, None, 40),
            Outcome(None, "cancelled"),
        ],
    )
    assert (sums.results, sums.succeeded, sums.failed, sums.unlabelled) == (3, 1, 1, 1)
    assert (sums.priced, sums.cost_microcents, sums.cost.zeros) == (2, 1_500_000, 1)
    assert (sums.metered, sums.input_tokens, sums.reasoning_tokens) == (1, 1, 5)
    assert (sums.timed, sums.latency_ms, sums.latency_ms_squared) == (2, 70, 2500.0)


def test_only_what_changed_is_returned() -> None:
    one, two = kinds(2)
    known = {one: added(NOTHING, [Outcome(None, "success")]), two: NOTHING}
    assert roll_up(known, [(one, Outcome("success", "failed"))]) == {one: ResultSums(results=1, failed=1)}


def test_a_full_day_takes_new_kinds_as_other() -> None:
    first, second, third = kinds(3)
    places = Places([first], keys_per_day_max=2)
    assert [places.of(key) for key in (second, third, first, second)] == [second, other_of(DAY), first, second]
    tomorrow = third._replace(day=date(2026, 3, 15))
    assert places.of(tomorrow) == tomorrow


@pytest.mark.parametrize(
    "text",
    [
        "fix-tests",
        "claude-sonnet-4-5",
        "anthropic/claude-3.5",
        "gpt-5:high",
        "anthropic.claude-v2:0",
        "c++",
        "claude@20240620",
    ],
)
def test_names_leave(text: str) -> None:
    assert word(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "please fix the login of acme", "/home/ann/models/own.gguf", "C:\\models", "a/b/c/d", "x" * 97, "été", "a\nb",
        "arn:aws:bedrock:us-east-1:123456789012:x", "ft:gpt-4o:acme::abc", "ann@example.com", "sk-ant-" + "a1B2" * 10,
        "../x", "a//b", "a\0b",
    ],
)  # fmt: skip
def test_what_is_no_name_stays(text: str) -> None:
    assert word(text) == "other"


@given(st.text(max_size=120) | st.none(), st.dictionaries(st.sampled_from(["task", "size", "repo"]), st.text()))
def test_every_word_is_one_the_wire_takes(text: str | None, context: dict[str, Any]) -> None:
    key = key_of(DAY, text or "", text, context)
    event = ResultsLearned(
        id="0" * 32, time=datetime(2026, 3, 14, tzinfo=UTC), day=key.day, job_type=key.job_type, model=key.model,
        context=dict(key.context), version=1, sums=NOTHING,
    )  # fmt: skip
    assert decode(encode(event), ResultsLearned).context.keys() == context.keys() - {"repo"}


def test_no_model_is_unknown() -> None:
    assert key_of(DAY, "tests", None, {"size": 3}) == Key(DAY, "tests", "unknown", (("size", "3"),))
