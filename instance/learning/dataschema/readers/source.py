"""A parsed file on its way to the readers of its language."""

from __future__ import annotations

from functools import cached_property

from instance.analysis.tokens import Tokens
from instance.learning.dataschema.readers.outline import Outline


class Source:
    """One code file: its path, its tokens, and on demand its outline and the words that occur in it."""

    def __init__(self, path: str, tokens: Tokens) -> None:
        self.path = path
        self.tokens = tokens

    @cached_property
    def outline(self) -> Outline:
        """The statements of the file as a tree."""
        return Outline(self.tokens)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every distinct text of the file: what does not occur need not be looked for."""
        return frozenset(self.tokens.texts)

    @property
    def stem(self) -> str:
        """The file's name without folder and extension."""
        return self.path.rpartition("/")[2].partition(".")[0]

    @property
    def folder(self) -> str:
        """The name of the folder the file is in; "" at the top."""
        return self.path.rpartition("/")[0].rpartition("/")[2]
