from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.search.subtokens import WORD_LETTERS_MAX, bag


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTPResponse", {"http", "respons", "httpresponse"}),
        ("parse_http2_frame", {"pars", "http", "fram", "parse_http2_frame"}),
        ("sha256sum", {"sha", "256", "sum", "sha256sum"}),
        ("__init__", {"init"}),
        ("größe", {"gr", "öß", "größe"}),
        ("接続", {"接続"}),
        ("the of self return x 7", set()),
        ("a" * (WORD_LETTERS_MAX + 1), set()),
    ],
)
def test_words_are_split_at_their_humps(text: str, expected: set[str]) -> None:
    assert bag(text).keys() == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("queries", "query"),
        ("retrying", "retried"),
        ("opening", "opened"),
        ("stopped", "stop"),
        ("caches", "cached"),
        ("classes", "class"),
        ("parses", "parsing"),
        ("tokens", "token"),
        ("boxes", "box"),
    ],
)
def test_forms_of_a_word_meet(one: str, other: str) -> None:
    assert bag(one) == bag(other)


@pytest.mark.parametrize("word", ["string", "class", "status", "need", "ring", "bus", "thing"])
def test_endings_that_are_none_stay(word: str) -> None:
    assert bag(word) == {word: 1}


def test_occurrences_are_counted() -> None:
    assert bag("open(path); open_file(path)") == {"open": 2, "path": 2, "file": 1, "open_file": 1}


@given(st.text())
def test_any_text_gives_lower_case_words_that_a_database_takes(text: str) -> None:
    for word, times in bag(text).items():
        assert word
        assert "\0" not in word
        assert times > 0
        assert word == word.lower()


@given(st.lists(st.sampled_from(["openFile", "retry", "the", "HTTPServer", "x1"]), max_size=8))
def test_the_order_of_words_does_not_matter(words: list[str]) -> None:
    assert bag(" ".join(words)) == bag(" ".join(reversed(words)))
