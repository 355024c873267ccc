"""Text to numbers as BERT's uncased models were trained on it: WordPiece (Devlin et al. 2019)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, islice
from typing import Final

_TEXT_LETTERS_MAX: Final = 1 << 14
_WORD_LETTERS_MAX: Final = 100
_BEGIN, _END, _UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
_IDEOGRAPHS = re.compile(
    "[\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002b81f\U0002b820-\U0002ceaf\uf900-\ufaff"
    "\U0002f800-\U0002fa1f]"
)


class WordPieces:
    """The words and parts of words a model knows, each with its number."""

    def __init__(self, vocabulary: str) -> None:
        """Take the text of a `vocab.txt`: a piece a line, those that continue a word begin with `##`."""
        self._numbers = {piece: number for number, piece in enumerate(vocabulary.split("\n")) if piece}
        self._pieces_of = lru_cache(maxsize=1 << 14)(self._split)

    def encode(self, text: str, pieces_max: int) -> list[int]:
        """Return at most `pieces_max` numbers, a mark at the beginning and at the end among them."""
        pieces = chain.from_iterable(map(self._pieces_of, _words(text[:_TEXT_LETTERS_MAX])))
        return [self._numbers[_BEGIN], *islice(pieces, pieces_max - 2), self._numbers[_END]]

    def _split(self, word: str) -> tuple[int, ...]:
        """Cut the longest known piece off the front of a word until nothing is left."""
        if len(word) > _WORD_LETTERS_MAX:
            return (self._numbers[_UNKNOWN],)
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                number = self._numbers.get(prefix + word[start:end])
                if number is not None:
                    found.append(number)
                    start = end
                    break
            else:
                return (self._numbers[_UNKNOWN],)
        return tuple(found)


def _words(text: str) -> Iterator[str]:
    """Yield the words of a text in lower case without accents, each punctuation mark as a word of its own."""
    for word in _IDEOGRAPHS.sub(r" \g<0> ", _cleaned(text)).split():
        yield from _punctuated(_plain(word))


def _cleaned(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if letter.isspace() else letter for letter in text if letter.isspace() or not _is_noise(letter))


def _is_noise(letter: str) -> bool:
    return letter == "\ufffd" or unicodedata.category(letter) in ("Cc", "Cf", "Co")


@lru_cache(maxsize=1 << 14)
def _plain(word: str) -> str:
    if word.isascii():
        return word.lower()
    return "".join(
        letter for letter in unicodedata.normalize("NFD", word) if unicodedata.category(letter) != "Mn"
    ).lower()


def _punctuated(word: str) -> Iterator[str]:
    start = 0
    for place, letter in enumerate(word):
        if not letter.isalnum() and _is_punctuation(letter):
            if place > start:
                yield word[start:place]
            yield letter
            start = place + 1
    if start < len(word):
        yield word[start:]


def _is_punctuation(letter: str) -> bool:
    return letter.isascii() or unicodedata.category(letter)[0] == "P"
