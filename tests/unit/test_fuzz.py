"""Files nobody wrote: real programs cut, doubled, nested, stretched and broken; none may hurt or take long."""

from __future__ import annotations

import random
import time

import pytest

from instance.analysis.languages import LANGUAGES
from instance.learning.idioms import FileContext, FilePatterns, study
from instance.learning.support import pack, unpack
from instance.learning.vocabulary import vocabulary
from tests.support.mutations import mutated
from tests.support.snippets import CANARIES, LOCALS

FAST_FILES, CHAOS_FILES = 25, 250  # in each of the eight languages: 200 and 2,000
SECONDS_MAX = 3.0
SEEDS = {
    language: [
        text.encode()
        for text in (
            LOCALS[language].format(**dict(zip("abcde", "abcde", strict=True))),
            CANARIES[language].format(z="word"),
        )
    ]
    for language in LANGUAGES
}


def survive(language: str, files: range) -> None:
    for number in files:
        chance = random.Random(f"{language} {number}")  # noqa: S311 - the same files every time
        source = mutated(SEEDS[language], chance)
        started_at = time.thread_time()
        patterns = study(source, LANGUAGES[language], FileContext(vocabulary(language)))
        assert time.thread_time() - started_at < SECONDS_MAX, (language, number)
        check(patterns)


def check(patterns: FilePatterns) -> None:
    assert patterns.occurrences.keys() == patterns.idioms.keys()
    assert unpack(pack(patterns)) == patterns.occurrences
    for identity, idiom in patterns.idioms.items():
        assert idiom.fingerprint == identity
        assert "\x1a" not in idiom.template.replace(" \x1a ", "")
        idiom.template.encode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_mutated_files_are_survived(language: str) -> None:
    survive(language, range(FAST_FILES))


@pytest.mark.chaos
@pytest.mark.parametrize("language", LANGUAGES)
def test_two_thousand_mutated_files_are_survived(language: str) -> None:
    survive(language, range(FAST_FILES, FAST_FILES + CHAOS_FILES))
