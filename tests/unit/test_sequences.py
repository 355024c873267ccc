from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instance.learning.usage import sequences
from instance.learning.usage.sequences import DISTANCE_MAX, LENGTH_MAX, Calls, Index, closed, cover, mine

FILES: list[Sequence[str]] = [
    ("open", "read", "close"),
    ("open", "write", "close"),
    ("open", "read", "seek", "read", "close"),
    ("log", "open", "read", "close"),
    ("log", "connect"),
    ("connect", "log"),
]

corpora = st.lists(st.lists(st.sampled_from("abcd"), max_size=8), max_size=6)


def frequent(corpus: Sequence[Sequence[str]], min_support: int) -> dict[Calls, int]:
    """Every frequent pattern, found by trying them all."""
    held = [set(subsequences(tuple(sequence))) for sequence in corpus]
    supports = {calls: sum(calls in holds for holds in held) for holds in held for calls in holds}
    return {calls: support for calls, support in supports.items() if support >= min_support}


def subsequences(sequence: Calls, after: int | None = None, length: int = LENGTH_MAX) -> Iterator[Calls]:
    places = range(len(sequence)) if after is None else range(after + 1, min(after + 1 + DISTANCE_MAX, len(sequence)))
    for at in places if length else ():
        yield (sequence[at],)
        yield from ((sequence[at], *rest) for rest in subsequences(sequence, at, length - 1))


def absorbed(calls: Calls, patterns: dict[Calls, int]) -> bool:
    """Whether a pattern that is a call longer is as frequent."""
    return any(
        len(longer) == len(calls) + 1
        and support >= patterns[calls]
        and any(longer[:at] + longer[at + 1 :] == calls for at in range(len(longer)))
        for longer, support in patterns.items()
    )


def test_closed_patterns_are_as_large_as_they_can_be_without_losing_support() -> None:
    assert closed(FILES) == {("open", "close"): 4, ("open", "read", "close"): 3}


@settings(max_examples=60)
@given(corpora, st.integers(1, 3))
def test_closed_patterns_are_those_found_by_trying_all(corpus: list[list[str]], min_support: int) -> None:
    everything = {calls: support for calls, support in frequent(corpus, min_support).items() if len(calls) > 1}
    expected = {calls: support for calls, support in everything.items() if not absorbed(calls, everything)}
    assert closed(corpus, min_support) == expected


@settings(max_examples=40)
@given(corpora, st.randoms(use_true_random=False))
def test_the_order_of_the_sequences_changes_nothing(corpus: list[list[str]], chance: random.Random) -> None:
    shuffled = chance.sample(corpus, len(corpus))
    assert closed(shuffled) == closed(corpus)
    assert mine(shuffled, 10) == mine(corpus, 10)


@settings(max_examples=40)
@given(corpora, corpora)
def test_supports_add_up_over_instances(here: list[list[str]], there: list[list[str]]) -> None:
    for calls, support in closed([*here, *there]).items():
        assert len(Index(here).holding(calls)) + len(Index(there).holding(calls)) == support


@settings(max_examples=40)
@given(corpora)
def test_what_is_chosen_is_closed_and_said_once(corpus: list[list[str]]) -> None:
    chosen = mine(corpus, 10)
    patterns = closed(corpus)
    assert all(patterns[one.calls] == one.support for one in chosen)
    assert [one.gain for one in chosen] == sorted((one.gain for one in chosen), reverse=True)
    assert len({one.calls for one in chosen}) == len(chosen)


def test_what_explains_most_calls_comes_first_and_its_parts_are_not_said_again() -> None:
    often = [("open", "read", "close")] * 5
    assert [one.calls for one in mine([*FILES, *often], 10)] == [("open", "read", "close")]
    assert [one.calls for one in mine([*FILES, *often, *[("connect", "query")] * 2], 10)] == [
        ("open", "read", "close"),
        ("connect", "query"),
    ]


def test_no_more_is_chosen_than_asked_for() -> None:
    assert len(mine([("a", "b"), ("a", "b"), ("c", "d"), ("c", "d")], 1)) == 1


def test_a_repeated_call_is_a_pattern_only_where_that_is_wanted() -> None:
    corpus = [("add", "add", "save")] * 2
    assert ("add", "add", "save") in closed(corpus)
    assert closed(corpus, repeats=False) == {("add", "save"): 2}


def test_calls_far_from_each_other_do_not_belong_together() -> None:
    numbers = [str(number) for number in range(20)]
    near, far = numbers[: DISTANCE_MAX - 1], numbers[:DISTANCE_MAX]
    assert closed([("a", *near, "b"), ("a", *numbers[::-1][: DISTANCE_MAX - 1], "b")]) == {("a", "b"): 2}
    assert closed([("a", *far, "b"), ("a", *numbers[::-1][:DISTANCE_MAX], "b")]) == {}


def test_one_may_take_the_nearer_of_two_calls() -> None:
    gap = ["x"] * (DISTANCE_MAX - 1)
    assert Index([("a", *gap, "a", "y", "b")]).holding(("a", "b")) == [0]
    assert Index([("a", "y", "b", *gap, "x", "c", "b", "c")]).holding(("a", "b", "c")) == []


def test_too_many_patterns_leave_the_frequent_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(1)  # noqa: S311 - the same calls every time
    corpus = [tuple(chance.choices("abcdefgh", k=12)) for _ in range(12)]
    everything = closed(corpus)
    monkeypatch.setattr(sequences, "PATTERNS_MAX", 300)
    some = closed(corpus)
    assert 0 < len(some) <= 300 < len(everything)
    assert some == {calls: support for calls, support in everything.items() if support >= min(some.values())}


def test_a_long_sequence_costs_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "STEPS_MAX", 20_000)
    corpus = [("a", "b", "c") * 2_000] * 3 + [("save", "load")] * 4
    assert closed(corpus) == {("save", "load"): 4}


def test_the_cover_weighs_only_the_patterns_it_is_given() -> None:
    assert [one.calls for one in cover(FILES, {("open", "close"): 4}, 10)] == [("open", "close")]


def test_which_call_comes_first() -> None:
    index = Index(FILES)
    assert index.comes_first("open", "close") == 1.0
    assert index.comes_first("log", "connect") == 0.5
    assert index.comes_first("read", "connect") == 0.0
