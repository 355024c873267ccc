"""What is true in the instances, what centralcloud has, and what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg.errors import UndefinedTable
from sqlalchemy import text

from centralcloud.ingest.arrivals import Arrival
from centralcloud.ingest.commit import commit
from schemas.codec import event_hash
from schemas.names import DEFAULT_TENANT
from schemas.subjects import Sender
from shared.database import transaction
from tests.support.databases import central_engine

REPLAYED_AT_ONCE = 64


class State(NamedTuple):
    """What is known of one pattern."""

    version: int
    files: int
    occurrences: int


Known = dict[tuple[str, str], State]
"""By repository and fingerprint; what is forgotten is not in it."""


class Standing(NamedTuple):
    """How far an instance is: everything it knows of is numbered and confirmed when nothing is open."""

    epoch: str
    head: int
    rotations: int
    open: int
    events: int
    """Ever appended."""
    resent: int
    """Attempts after the first, of events that are still kept."""


@dataclass
class Verdict:
    """Counted over all instances."""

    lost: int = 0
    """States in an instance that centralcloud does not have."""
    double: int = 0
    """States in centralcloud no instance has, sequences received twice, and events accepted twice in an epoch."""
    standing: int = 0
    """States compared."""


_STANDING = """
    SELECT u.epoch, u.head, u.rotations, count(*) FILTER (WHERE o.confirmed_at IS NULL), coalesce(max(o.id), 0),
           coalesce(sum(o.attempt - 1) FILTER (WHERE o.attempt > 1), 0)::bigint
      FROM uplink u LEFT JOIN outbox o ON true GROUP BY u.epoch, u.head, u.rotations
"""
_TRUTH = """
    SELECT r.key, encode(o.fingerprint, 'hex'), o.version, o.files, o.occurrences
      FROM observations o JOIN repositories r ON r.id = o.repository_id WHERE NOT o.forgotten
"""
_HELD = """
    SELECT repository, fingerprint, version, files, occurrences FROM observations
     WHERE instance = %s AND NOT forgotten
"""
_ARRIVED = "SELECT wm FROM watermarks WHERE instance = %s AND epoch = %s AND NOT forked"
_RECEIVED = """
    SELECT instance, epoch, first_seq, last_seq, body FROM received_envelopes
     ORDER BY received_at, instance, epoch, first_seq
"""
_EVERYTHING = """
    SELECT tenant, instance, repository, fingerprint, epoch, version, files, occurrences, forgotten, seq, event_id
      FROM observations ORDER BY 1, 2, 3, 4
"""


def standing(database_url: str) -> Standing:
    """Read how far an instance is."""
    (row,) = rows(database_url, _STANDING)
    return Standing(*row)


def settled(hub_url: str, instances: Mapping[str, str]) -> bool:
    """Whether centralcloud has received all that every instance (name: database) numbered in its epoch."""
    for name, database_url in instances.items():
        now = standing(database_url)
        if now.open or rows(hub_url, _ARRIVED, name, now.epoch) != [(now.head,)]:
            return False
    return True


def judge(hub_url: str, instances: Mapping[str, str]) -> Verdict:
    """Compare every instance (name: database) with what centralcloud has of it."""
    verdict = Verdict()
    for name, database_url in instances.items():
        truth, held = _known(rows(database_url, _TRUTH)), _known(rows(hub_url, _HELD, name))
        verdict.lost += sum(held.get(key) != state for key, state in truth.items())
        verdict.double += len(held.keys() - truth.keys())
        verdict.standing += len(truth)
    verdict.double += _received_twice(hub_url)
    return verdict


async def replayed_otherwise(hub_url: str, empty_url: str) -> int:
    """Play the log of what was received into an empty database; returns how many observations come out different."""
    arrivals = list(_log(hub_url))
    async with central_engine(empty_url) as engine:
        for start in range(0, len(arrivals), REPLAYED_AT_ONCE):
            async with transaction(engine) as connection:
                await commit(connection, arrivals[start : start + REPLAYED_AT_ONCE], [])
        async with engine.connect() as connection:
            found = {tuple(row) for row in await connection.execute(text(_EVERYTHING))}
    return len(found ^ set(rows(hub_url, _EVERYTHING)))


def rows(database_url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Everything a statement returns."""
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement, values).fetchall()


def count(database_url: str, statement: str) -> int:
    """A count; 0 while there is no such table yet."""
    try:
        return int(rows(database_url, statement)[0][0])
    except UndefinedTable:
        return 0


def _known(found: list[tuple[Any, ...]]) -> Known:
    return {(repository, fingerprint): State(*state) for repository, fingerprint, *state in found}


def _received_twice(hub_url: str) -> int:
    """Sequences in two ranges of an epoch, and ids of events in two places of one."""
    ranges: dict[tuple[str, str], list[tuple[int, int]]] = {}
    ids: Counter[tuple[str, str, str]] = Counter()
    for arrival in _log(hub_url):
        key = (arrival.sender.instance, arrival.epoch)
        ranges.setdefault(key, []).append((arrival.first_seq, arrival.last_seq))
        ids.update((*key, msgspec.json.decode(event)["id"]) for event in arrival.events)
    overlapping = sum(
        max(0, last - following + 1)
        for found in ranges.values()
        for (_, last), (following, _) in pairwise(sorted(found))
    )
    return overlapping + sum(count - 1 for count in ids.values())


def _log(hub_url: str) -> Iterator[Arrival]:
    for instance, epoch, first, last, body in rows(hub_url, _RECEIVED):
        events = tuple(msgspec.json.decode(body, type=list[msgspec.Raw]))
        assert len(events) == last - first + 1
        hashes = tuple(event_hash(event) for event in events)
        yield Arrival(Sender(DEFAULT_TENANT, instance), epoch, first, events, hashes)
