from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.search.bm25 import LENGTH_WEIGHT, SATURATION, Collection, Ranking, best, postings, rank
from instance.learning.search.hybrid import MEANING_WEIGHT, fuse

words = st.sampled_from(["open", "file", "retry", "bank", "card"])
documents = st.lists(st.lists(words, min_size=1, max_size=12).map(Counter), min_size=1, max_size=8)


def textbook(question: set[str], bags: list[Counter[str]]) -> dict[int, float]:
    """Return the scores as the paper writes them down, document by document."""
    mean = sum(bag.total() for bag in bags) / len(bags)
    scores: dict[int, float] = {}
    for document, bag in enumerate(bags):
        for word in question & bag.keys():
            holding = sum(word in other for other in bags)
            rarity = math.log(1 + (len(bags) - holding + 0.5) / (holding + 0.5))
            damping = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * bag.total() / mean)
            gain = rarity * bag[word] * (SATURATION + 1) / (bag[word] + damping)
            scores[document] = scores.get(document, 0.0) + gain
    return scores


@given(st.sets(words), documents)
def test_scores_are_those_of_the_paper(question: set[str], bags: list[Counter[str]]) -> None:
    ranking = rank(*postings(question, bags))
    assert dict(best(ranking, len(bags))) == pytest.approx(textbook(question, bags))


def test_a_rare_word_and_a_short_document_count_more() -> None:
    bags = [Counter({"open": 1, "file": 1}), Counter({"open": 1, "bank": 1}), Counter({"bank": 1, "card": 9})]
    scores = dict(best(rank(*postings(["file", "bank"], bags)), 3))
    assert scores[0] > scores[1] > scores[2]


def test_equal_scores_are_in_the_order_of_the_documents() -> None:
    ranking = Ranking(np.array([3, 5, 9]), np.array([1.0, 2.0, 1.0]))
    assert best(ranking, 2) == [(5, 2.0), (3, 1.0)]
    assert best(rank([], Collection(0, 0)), 5) == []


def test_what_both_say_comes_first_and_what_the_model_has_not_read_is_average() -> None:
    words = Ranking(np.array([1, 2, 4]), np.array([3.0, 3.0, 3.0]))
    meaning = Ranking(np.array([1, 2, 3]), np.array([0.9, 0.1, 0.5]))
    both = fuse(words, meaning)
    assert both.documents.tolist() == [1, 2, 3, 4]
    scores = dict(best(both, 4))
    assert list(scores) == [1, 4, 3, 2]
    assert scores[1] - scores[2] == pytest.approx(MEANING_WEIGHT * 0.8 / np.std([0.9, 0.1, 0.5, 0.5]))


def test_nothing_to_tell_apart_by_changes_nothing() -> None:
    nothing = rank([], Collection(3, 9))
    alike = Ranking(np.array([1, 2]), np.array([0.5, 0.5]))
    assert fuse(nothing, alike).scores.tolist() == [0.0, 0.0]
    assert fuse(nothing, nothing).documents.tolist() == []
