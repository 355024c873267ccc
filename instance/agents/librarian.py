"""The librarian: finds the code a question is about, by its words and, with a sentence model, by what it means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from instance.analysis.workspace import read_source
from instance.learning.search.bm25 import Collection, Ranking, best, postings, rank
from instance.learning.search.chunks import Lines, digest_of
from instance.learning.search.hybrid import fuse
from instance.learning.search.sentences.model import SentenceModel, sentence_model
from instance.learning.search.subtokens import bag
from instance.store import chunks as store
from instance.store import embeddings, mentions
from instance.store.chunks import Place
from instance.store.embeddings import Unread
from instance.store.mentions import Mention
from instance.store.workspace import Repository
from shared.database import transaction

log = structlog.get_logger(__name__)

QUESTION_WORDS_MAX: Final = 32
BATCH_CHUNKS: Final = 64


@dataclass(frozen=True)
class Hit:
    """A chunk that speaks to a question; the score compares it with the others found, and with nothing else."""

    place: Place
    score: float


@dataclass(frozen=True)
class Found:
    """A pattern or an insight that speaks to a question."""

    mention: Mention
    score: float


@dataclass(frozen=True)
class Answer:
    """What an instance knows about a question: code, its own patterns and the fleet's insights, each best first."""

    code: list[Hit]
    patterns: list[Found]
    insights: list[Found]


async def search(
    connection: AsyncConnection,
    question: str,
    *,
    limit: int,
    repository: Repository | None = None,
    model: SentenceModel | None = None,
) -> list[Hit]:
    """Return the best chunks of one repository or all, best first; none when no word of the question is known.

    With a model, those it has read are ranked by what they mean, too.
    """
    found = await store.postings(connection, _words(question), repository)
    ranking = rank(found, Collection(*await store.totals(connection, repository)))
    if model is not None and question.strip():
        ranking = await _with_meaning(connection, ranking, question, model, repository)
    scores = dict(best(ranking, limit))
    return [Hit(place, scores[place.id]) for place in await store.places(connection, list(scores))]


async def answer(
    connection: AsyncConnection, question: str, *, limit: int, model: SentenceModel | None = None
) -> Answer:
    """Return what speaks to a question, at most `limit` of each sort."""
    words = _words(question)
    return Answer(
        code=await search(connection, question, limit=limit, model=model),
        patterns=_best_mentions(words, *await mentions.patterns(connection, words), limit),
        insights=_best_mentions(words, *await mentions.insights(connection, words), limit),
    )


async def fill_in(engine: AsyncEngine, model: SentenceModel) -> AsyncIterator[int]:
    """Let the model read every chunk it has not read; yields after each batch how many it has read this time.

    Each batch is a transaction: what is interrupted goes on where it was.
    """
    async with transaction(engine) as connection:
        stored = await embeddings.prepare(connection, model.dimensions)
        dropped = await embeddings.prune(connection)
    after = read = 0
    while True:
        async with transaction(engine) as connection:
            unread = await embeddings.missing(connection, after, BATCH_CHUNKS)
        if not unread:
            break
        texts = await asyncio.to_thread(_excerpts, unread)
        vectors = await asyncio.to_thread(model.embed, list(texts.values()))
        async with transaction(engine) as connection:
            await embeddings.put(connection, stored, dict(zip(texts, vectors, strict=True)))
        after, read = unread[-1].id, read + len(texts)
        yield read
    log.debug("sentence model up to date", read=read, dropped=dropped, stored=stored)


def _words(question: str) -> list[str]:
    return list(bag(question))[:QUESTION_WORDS_MAX]


def _best_mentions(words: Sequence[str], found: Sequence[Mention], count: int, limit: int) -> list[Found]:
    """Rank texts by the words they hold; where they say the same, the wider supported one is first."""
    ranking = rank(*postings(words, [bag(mention.text) for mention in found], count))
    return [Found(found[place], score) for place, score in best(ranking, limit)]


async def _with_meaning(
    connection: AsyncConnection, ranking: Ranking, question: str, model: SentenceModel, repository: Repository | None
) -> Ranking:
    stored = await embeddings.storage(connection)
    if stored is None:
        return ranking
    (vector,) = await asyncio.to_thread(model.embed, [question])
    return fuse(ranking, Ranking(*await embeddings.cosines(connection, stored, vector, repository)))


def _excerpts(unread: Sequence[Unread]) -> dict[bytes, str]:
    """Read the chunks' texts by their digests; one that is no longer what was chunked waits for the next scan."""
    texts: dict[bytes, str] = {}
    for (root, path), chunks in groupby(unread, key=lambda chunk: (chunk.root, chunk.path)):
        try:
            lines = Lines(read_source(root, path))
        except OSError:
            continue
        for chunk in chunks:
            text = lines.excerpt(chunk.start_line, chunk.end_line)
            if digest_of(text) == chunk.digest:
                texts[chunk.digest] = text
    return texts


async def read_all(engine: AsyncEngine) -> None:
    """Let the installed sentence model read every chunk it has not read; raises `NotFoundError` without one."""
    async for _ in fill_in(engine, sentence_model()):
        pass
