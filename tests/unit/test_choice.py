"""Which patterns are worth saying, looked at altogether or only where something changed."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from instance.store.observations import CODE, Known
from instance.sync.choice import Limits, choose, choose_among
from instance.sync.news import TOUCHED_MAX, News

PATTERN = Known(
    fingerprint="0" * 32, kind=CODE, language="python", view="statement",
    template="$1 = logging . getLogger ( __name__ )",
    names=(("logging", "language"), ("getLogger", "language")), tokens=8, files=3, occurrences=3, version=0,
    said_files=0, said_occurrences=0, template_shared=False, forgotten=False,
)  # fmt: skip
FILES_TOTAL = 100


def patterns(files: list[int]) -> list[Known]:
    return [replace(PATTERN, fingerprint=f"{number:032x}", files=count) for number, count in enumerate(files)]


def fingerprints(chosen: list[Known]) -> set[str]:
    return {pattern.fingerprint for pattern in chosen}


@given(st.lists(st.integers(2, FILES_TOTAL), max_size=30), st.integers(1, 10))
def test_looking_only_at_what_changed_finds_what_looking_at_everything_finds(files: list[int], most: int) -> None:
    known = patterns(files)
    choice = choose(known, FILES_TOTAL, Limits(files_min=2, patterns_max=most))
    again = choose_among(known, FILES_TOTAL, choice.bars)
    assert len(choice.patterns) == min(most, len(known))
    assert fingerprints(choice.patterns) <= fingerprints(again.patterns)
    bar = min((pattern.files for pattern in choice.patterns), default=0)
    assert all(pattern.files == bar for pattern in again.patterns if pattern not in choice.patterns)


def test_what_was_said_and_what_is_no_code_is_chosen_whatever_its_score() -> None:
    rare = replace(PATTERN, fingerprint="a" * 32, files=2)
    said, decision = replace(rare, version=1), replace(rare, fingerprint="b" * 32, kind="architecture.pattern")
    bars = choose(patterns([50, 60]), FILES_TOTAL, Limits(2, 2)).bars
    assert choose_among([rare], FILES_TOTAL, bars).patterns == []
    assert choose_among([said, decision], FILES_TOTAL, bars).patterns == [said, decision]
    assert choose_among([replace(said, forgotten=True)], FILES_TOTAL, bars).patterns == []


def test_news_collect_until_they_are_taken_and_new_insights_concern_everything() -> None:
    news = News()
    assert news.take(1).touched is None
    news.touch({"a"})
    news.touch({"b"})
    assert news.take(1).touched == {"a", "b"}
    assert news.take(1).touched == set()
    news.touch({"c"})
    assert news.take(2).touched is None
    news.touch({str(number) for number in range(TOUCHED_MAX + 1)})
    assert news.take(2).touched is None
