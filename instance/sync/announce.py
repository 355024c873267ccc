"""Saying what is known: observations and their events, together in the caller's transaction.

Only what changed since it was last said is said; a pattern that is no more gets a tombstone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

from sqlalchemy.ext.asyncio import AsyncConnection

from instance.config import Sharing
from instance.learning.idioms import Idiom
from instance.learning.support import score
from instance.store import insights, observations, outbox, workspace
from instance.store.observations import CODE, Known, Said
from instance.store.workspace import Repository
from instance.sync.gate import INSTANCES_MIN, Gate
from instance.sync.wording import event_of, tombstone_of, topic_of_kind
from schemas.codec import encode
from schemas.events import AnyEvent, PatternForgotten


@dataclass(frozen=True)
class Limits:
    """What is worth saying at all."""

    files_min: int
    patterns_max: int
    """Per repository and language."""


@dataclass(frozen=True)
class Announcement:
    """What would be, or was, said of one repository."""

    learned: Sequence[AnyEvent]
    forgotten: Sequence[PatternForgotten]
    rows: Sequence[Said]


async def open_gate(connection: AsyncConnection, sharing: Sharing) -> Gate:
    """Build the gate from what is known to be public now."""
    names = await insights.public_names(connection)
    return Gate(sharing, names, await insights.widely_known(connection, INSTANCES_MIN))


async def compose(connection: AsyncConnection, repository: Repository, gate: Gate, limits: Limits) -> Announcement:
    """Compare what is known with what was said, and compose what is to be said; writes nothing."""
    known = await observations.worth_saying(connection, repository, limits.files_min)
    files_total = await workspace.count_files(connection, repository)
    best = await asyncio.to_thread(_chosen, known, files_total, limits)
    chosen = [*best, *(pattern for pattern in known if pattern.kind != CODE)]
    news = [(pattern, row) for pattern in chosen if (row := _news(pattern, gate)) is not None]
    gone = [
        Said(fingerprint=fingerprint, kind=kind, version=version + 1, files=0, occurrences=0, forgotten=True)
        for fingerprint, kind, version in await observations.vanished(connection, repository, limits.files_min)
    ]
    return Announcement(
        [event_of(pattern, row, repository.key) for pattern, row in news],
        [tombstone_of(row, repository.key) for row in gone],
        [*(row for _, row in news), *gone],
    )


async def announce(
    connection: AsyncConnection, repository: Repository, gate: Gate, limits: Limits, *, sharing: bool
) -> int:
    """Say what changed; returns the number of events. While not sharing, only the observations are written."""
    await observations.lock(connection)
    composed = await compose(connection, repository, gate, limits)
    await observations.say(connection, repository, composed.rows)
    events = [(event.topic, encode(event)) for event in composed.learned]
    events += [
        (topic_of_kind(row.kind), encode(tombstone))
        for row, tombstone in zip(composed.rows[len(composed.learned) :], composed.forgotten, strict=True)
    ]
    if sharing:
        await outbox.append(connection, events)
    return len(events)


async def announce_again(connection: AsyncConnection, repository: Repository, gate: Gate) -> int:
    """Say everything that stands once more, each in its next version; returns the number of events."""
    await observations.lock(connection)
    known = await observations.said_and_known(connection, repository)
    rows = [_said(pattern, words=gate.lets_words_out(pattern)) for pattern in known]
    await observations.say(connection, repository, rows)
    events = [event_of(pattern, row, repository.key) for pattern, row in zip(known, rows, strict=True)]
    await outbox.append(connection, [(event.topic, encode(event)) for event in events])
    return len(events)


def _chosen(known: Iterable[Known], files_total: int, limits: Limits) -> list[Known]:
    """Choose the most informative patterns of each language, and whatever has been said already.

    Nothing is left out for being part of another pattern: two instances would leave out different ones, and what
    they have in common would never meet.
    """
    by_language: dict[str, list[Known]] = {}
    for pattern in known:
        if pattern.kind == CODE:
            by_language.setdefault(pattern.language, []).append(pattern)
    chosen: dict[str, Known] = {}
    for patterns in by_language.values():
        said = [pattern for pattern in patterns if pattern.version and not pattern.forgotten]
        best = nlargest(limits.patterns_max, patterns, key=lambda pattern: _rank(pattern, files_total))
        chosen |= {pattern.fingerprint: pattern for pattern in (*said, *best)}
    return [chosen[fingerprint] for fingerprint in sorted(chosen)]


def _rank(pattern: Known, files_total: int) -> tuple[float, str]:
    return score(idiom_of(pattern), pattern.files, files_total), pattern.fingerprint


def idiom_of(pattern: Known) -> Idiom:
    """A code pattern as the learning takes it."""
    identity = bytes.fromhex(pattern.fingerprint)
    return Idiom(identity, pattern.language, pattern.view, pattern.template, pattern.names, pattern.tokens, 0)


def _news(pattern: Known, gate: Gate) -> Said | None:
    """Return what is to be said of a pattern; None when that has been said."""
    words = gate.lets_words_out(pattern)
    if pattern.version and not pattern.forgotten and not pattern.changed and words == pattern.template_shared:
        return None
    return _said(pattern, words=words)


def _said(pattern: Known, *, words: bool) -> Said:
    return Said(
        fingerprint=pattern.fingerprint,
        kind=pattern.kind,
        version=pattern.version + 1,
        files=pattern.files,
        occurrences=pattern.occurrences,
        shared_template=words,
        said=pattern.body,
    )
