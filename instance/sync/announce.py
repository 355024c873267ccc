"""Saying what is known: observations and their events, together in the caller's transaction.

Only what changed since it was last said is said; a pattern that is no more gets a tombstone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from instance.config import Sharing
from instance.store import insights, observations, outbox, workspace
from instance.store.observations import Known, Said
from instance.store.workspace import Repository
from instance.sync.choice import Limits, choose, choose_among
from instance.sync.gate import INSTANCES_MIN, Gate
from instance.sync.news import Look
from instance.sync.wording import event_of, tombstone_of, topic_of_kind
from schemas.codec import encode
from schemas.events import AnyEvent, PatternForgotten

EVERYTHING: Final = Look(None, {})


@dataclass(frozen=True)
class Announcement:
    """What would be, or was, said of one repository."""

    learned: Sequence[AnyEvent]
    forgotten: Sequence[PatternForgotten]
    rows: Sequence[Said]
    bars: Mapping[str, float]
    """What a pattern must score to be said next time; see `Look`."""


async def open_gate(connection: AsyncConnection, sharing: Sharing) -> Gate:
    """Build the gate from what is known to be public now."""
    names = await insights.public_names(connection)
    return Gate(sharing, names, await insights.widely_known(connection, INSTANCES_MIN))


async def compose(
    connection: AsyncConnection, repository: Repository, gate: Gate, limits: Limits, look: Look = EVERYTHING
) -> Announcement:
    """Compare what is known with what was said, and compose what is to be said; writes nothing."""
    known = await observations.worth_saying(connection, repository, limits.files_min, look.touched)
    files_total = await workspace.count_files(connection, repository)
    if look.touched is None:
        choice = await asyncio.to_thread(choose, known, files_total, limits)
    else:
        choice = choose_among(known, files_total, look.bars)
    ordered = sorted(choice.patterns, key=lambda pattern: pattern.fingerprint)
    unsaid = [(pattern, row) for pattern in ordered if (row := _unsaid(pattern, gate)) is not None]
    gone = [
        Said(fingerprint=fingerprint, kind=kind, version=version + 1, files=0, occurrences=0, forgotten=True)
        for fingerprint, kind, version in await observations.vanished(
            connection, repository, limits.files_min, look.touched
        )
    ]
    return Announcement(
        [event_of(pattern, row, repository.key) for pattern, row in unsaid],
        [tombstone_of(row, repository.key) for row in gone],
        [*(row for _, row in unsaid), *gone],
        choice.bars,
    )


async def announce(
    connection: AsyncConnection,
    repository: Repository,
    gate: Gate,
    limits: Limits,
    *,
    sharing: bool,
    look: Look = EVERYTHING,
) -> Announcement:
    """Say what changed and return it. While not sharing, only the observations are written."""
    await observations.lock(connection)
    composed = await compose(connection, repository, gate, limits, look)
    await observations.say(connection, repository, composed.rows)
    events = [(event.topic, encode(event)) for event in composed.learned]
    events += [
        (topic_of_kind(row.kind), encode(tombstone))
        for row, tombstone in zip(composed.rows[len(composed.learned) :], composed.forgotten, strict=True)
    ]
    if sharing:
        await outbox.append(connection, events)
    return composed


async def announce_again(connection: AsyncConnection, repository: Repository, gate: Gate) -> int:
    """Say everything that stands once more, each in its next version; returns the number of events."""
    await observations.lock(connection)
    known = await observations.said_and_known(connection, repository)
    rows = [_said(pattern, words=gate.lets_words_out(pattern)) for pattern in known]
    await observations.say(connection, repository, rows)
    events = [event_of(pattern, row, repository.key) for pattern, row in zip(known, rows, strict=True)]
    await outbox.append(connection, [(event.topic, encode(event)) for event in events])
    return len(events)


def _unsaid(pattern: Known, gate: Gate) -> Said | None:
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
