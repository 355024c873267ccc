"""Ranking by BM25: which documents a question's words speak for.

After Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009). The name of a document
counts as if it stood in it several times, their way of weighing fields. Values of the constants: `python -m bench
search`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

SATURATION: Final = 2.0
"""Called k1: how soon another occurrence of a word tells nothing new."""
LENGTH_WEIGHT: Final = 0.9
"""Called b: how much a long document is marked down, from 0 to 1."""
NAME_WEIGHT: Final = 4
"""How many times a document's name counts."""

Documents = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


Posting = tuple[int, int, int, int]
"""One word of the question in one document: the word's place, the document, its words altogether, those like this."""


class Collection(NamedTuple):
    """All documents that might have been found: how many, and how many words they have altogether."""

    documents: int
    words: int


class Ranking(NamedTuple):
    """Documents with their scores, in the order of the documents; those with none of the words are left out."""

    documents: Documents
    scores: Scores


def rank(postings: Sequence[Posting], collection: Collection) -> Ranking:
    """Score every document of the postings; these must hold all documents of each word."""
    if not postings:
        return Ranking(np.empty(0, np.int64), np.empty(0, np.float64))
    numbers, documents, lengths, times = np.array(postings, np.int64).T
    found = np.bincount(numbers)
    rarity = np.log1p((collection.documents - found + 0.5) / (found + 0.5))
    relative = lengths * (collection.documents / max(collection.words, 1))
    damping = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * relative)
    gains = rarity[numbers] * times * (SATURATION + 1) / (times + damping)
    distinct, places = np.unique(documents, return_inverse=True)
    return Ranking(distinct, np.bincount(places, weights=gains).astype(np.float64))


def best(ranking: Ranking, limit: int) -> list[tuple[int, float]]:
    """Return the documents with the highest scores and these, best first, then by document."""
    order = np.lexsort((ranking.documents, -ranking.scores))[:limit]
    return list(zip(ranking.documents[order].tolist(), ranking.scores[order].tolist(), strict=True))


def postings(
    words: Iterable[str], bags: Sequence[Mapping[str, int]], documents: int | None = None
) -> tuple[list[Posting], Collection]:
    """Return the postings of a question's words in documents held in memory; a document is its place in `bags`.

    `documents` counts also those without any of the words, where they are not among `bags`.
    """
    lengths = [sum(bag.values()) for bag in bags]
    found = [
        (number, document, lengths[document], bag[word])
        for number, word in enumerate(words)
        for document, bag in enumerate(bags)
        if word in bag
    ]
    total = len(bags) if documents is None else documents
    return found, Collection(total, round(sum(lengths) * total / max(len(bags), 1)))
