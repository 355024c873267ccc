"""The words in code and in questions about code: identifiers split at their humps, lightly stemmed, and counted."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Final

WORD_LETTERS_MAX: Final = 64
"""Longer words are data: keys, blobs, hashes."""

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\W\d_A-Za-z]+")
_VOWEL = re.compile("[aeiouy]")
_DOUBLED = frozenset("bdfgmnprt")
# Words of English, and of code what nobody asks for. Other keywords (class, import, match) are words of questions, too.
_STOP = frozenset(
    """
    an and any are as at be by can do does for from how if in into is it its not of on or over so than that the their
    then there this to up use used using want we what when where which who why will with you your
    async await cls const def elif fn func let pub return returns self var void
    """.split()  # noqa: SIM905 - a page of words
)


def bag(text: str) -> dict[str, int]:
    """Return how often each subtoken occurs in source or prose; a compound counts as its parts and as a whole."""
    counts: dict[str, int] = {}
    for word, times in Counter(_WORD.findall(text)).items():
        if len(word) <= WORD_LETTERS_MAX:
            for part in _parts(word):
                counts[part] = counts.get(part, 0) + times
    return counts


@lru_cache(maxsize=1 << 16)
def _parts(word: str) -> tuple[str, ...]:
    parts = [part.lower() for part in _PART.findall(word)]
    told = [_stem(part) for part in parts if len(part) > 1 and part not in _STOP]
    if len(parts) > 1 and told:
        told.append(word.strip("_").lower())
    return tuple(told)


def _stem(word: str) -> str:
    """Cut the endings of English plurals and verb forms, so that `queries` finds `query`, and `opening` `opened`."""
    word = _singular(word)
    if len(word) > 5 and word.endswith("ing"):  # noqa: PLR2004 - shorter ones are words of their own: "string", "ring"
        word = _verb(word, word[:-3])
    elif len(word) > 4 and word.endswith("ed"):  # noqa: PLR2004 - "need", "feed"
        word = _verb(word, word[:-2])
    return word[:-1] if len(word) > 4 and word[-1] == "e" else word  # noqa: PLR2004 - "code", "type"


def _singular(word: str) -> str:
    if len(word) <= 3 or word[-1] != "s" or word[-2:] in ("ss", "us", "is"):  # noqa: PLR2004 - "gas", "bus"
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(("sses", "xes")) else word[:-1]


def _verb(word: str, root: str) -> str:
    if not _VOWEL.search(root):
        return word
    if root[-1] == "i":
        return f"{root[:-1]}y"
    return root[:-1] if root[-1] == root[-2] and root[-1] in _DOUBLED else root
