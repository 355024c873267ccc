"""Two rankings as one: what the words say, and what a sentence model says."""

from __future__ import annotations

from typing import Final

import numpy as np

from instance.learning.search.bm25 import Ranking, Scores

MEANING_WEIGHT: Final = 2.0
"""How much more the model counts than the words; measured by `python -m bench search`."""


def fuse(words: Ranking, meaning: Ranking) -> Ranking:
    """Add up how far each document stands out in either ranking, in standard deviations.

    One that has none of the words scores 0 there; one the model has not read yet counts as an average one.
    """
    documents = np.union1d(words.documents, meaning.documents)
    by_words = np.zeros(len(documents))
    by_words[np.searchsorted(documents, words.documents)] = words.scores
    by_meaning = np.full(len(documents), meaning.scores.mean() if len(meaning.scores) else 0.0)
    by_meaning[np.searchsorted(documents, meaning.documents)] = meaning.scores
    return Ranking(documents, _standing_out(by_words) + MEANING_WEIGHT * _standing_out(by_meaning))


def _standing_out(scores: Scores) -> Scores:
    spread = scores.std() if len(scores) else 0.0
    return (scores - scores.mean()) / spread if spread > 0 else np.zeros(len(scores))
