"""Questions put to what an instance knows: its code, its patterns, and the insights of the fleet."""

from __future__ import annotations

from instance.agents import librarian
from instance.agents.librarian import Answer, Hit
from instance.cli.target import open_target, resolve_settings
from instance.learning.search.sentences.model import SentenceModel, installed, sentence_model
from instance.learning.templates import readable
from shared.commandline import print_table
from shared.database import transaction


async def searched(name: str | None, words: str, limit: int) -> list[Hit]:
    """Find the functions and classes of an instance that words are about."""
    async with open_target(resolve_settings(name)) as target, transaction(target.engine) as connection:
        return await librarian.search(connection, words, limit=limit, model=_model())


async def answered(name: str | None, question: str, limit: int) -> Answer:
    """Find whatever an instance knows about a question."""
    async with open_target(resolve_settings(name)) as target, transaction(target.engine) as connection:
        return await librarian.answer(connection, question, limit=limit, model=_model())


def print_hits(hits: list[Hit]) -> None:
    """Print where the code stands that was found."""
    print_table(
        ["score", "kind", "name", "place"],
        [
            (f"{hit.score:.2f}", hit.place.kind, hit.place.qualified_name,
             f"{hit.place.root}/{hit.place.path}:{hit.place.start_line}")
            for hit in hits
        ],
        empty="No code speaks of this.",
    )  # fmt: skip


def print_answer(answer: Answer) -> None:
    """Print code, patterns and insights."""
    print_hits(answer.code)
    for title, found in (("patterns", answer.patterns), ("insights", answer.insights)):
        if found:
            print_table(
                [title, "kind", "language", "support", "text"],
                [
                    (one.mention.id[:12], one.mention.kind, one.mention.language, one.mention.support,
                     readable(one.mention.text))
                    for one in found
                ],
                empty="",
            )  # fmt: skip


def _model() -> SentenceModel | None:
    """The sentence model, where one is installed; without it words alone decide."""
    return sentence_model() if installed() else None
