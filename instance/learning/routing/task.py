"""What is to be routed: a kind of job in a context, and how near to it other results are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

WORDS: Final = ("task", "language", "size", "complexity")
"""Context words from the widest to the narrowest; each level of the ladder asks for one more of them."""

AFTER: Final = "after"
"""The context word with the model whose attempt a verifier had rejected before this one."""

Plan = tuple[str, ...]
"""Models in the order they are tried, each after a verifier rejected the one before; never the same twice."""

STAGES_MAX: Final = 3


@dataclass(frozen=True)
class Task:
    """A job to be routed; without the name of its verifier it can only be given to one model."""

    job_type: str
    context: Mapping[str, str] = field(default_factory=dict)
    verifier: str | None = None

    @cached_property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """The words it is described by, from the widest to the narrowest."""
        return tuple((word, self.context[word]) for word in WORDS if word in self.context)

    def nearness(self, context: Mapping[str, str]) -> int:
        """Return how many steps another context goes along with, at most `len(self.steps)`."""
        near = 0
        for word, value in self.steps:
            if context.get(word) != value:
                break
            near += 1
        return near
