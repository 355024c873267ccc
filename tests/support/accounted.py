"""Whether what the stream took is in the database: applied, set aside as a fork, or a dead letter."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from nats.aio.client import Client
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest import stream
from schemas import subjects
from schemas.envelope import POSTED_EPOCH
from shared.database import transaction
from tests.support.wait import eventually

_RANGES: Final = "SELECT tenant, instance, epoch, first_seq, last_seq FROM received_envelopes"


class Message(NamedTuple):
    """One message for the stream."""

    subject: str
    body: bytes
    headers: dict[str, str]


async def all_acknowledged(client: Client) -> None:
    """Wait until ingest is through with everything that is in the stream."""

    async def check() -> bool:
        info = await client.jetstream().consumer_info(subjects.STREAM, stream.CONSUMER)
        return not (info.num_pending or info.num_ack_pending)

    await eventually(check, 120, what="everything acknowledged")


async def lost(engine: AsyncEngine, taken: Sequence[Message]) -> list[Message]:
    """Find messages that are neither whole dead letters nor forks, and of which not every event was received."""
    async with transaction(engine) as connection:
        letters = {bytes(row[0]) for row in await connection.execute(text("SELECT body FROM dead_letters"))}
        forks = {bytes(row[0]) for row in await connection.execute(text("SELECT body FROM forks"))}
        posts = {tuple(row) for row in await connection.execute(text("SELECT tenant, instance, key FROM posts"))}
        ranges: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
        for *lineage, first, last in await connection.execute(text(_RANGES)):
            ranges[tuple(lineage)].update(range(first, last + 1))
    return [one for one in taken if one.body not in letters and not _received(one, ranges, forks, posts)]


def _received(
    one: Message, ranges: dict[tuple[str, ...], set[int]], forks: set[bytes], posts: set[tuple[str, ...]]
) -> bool:
    told = json.loads(one.body)
    batch = told["data"]
    sender = tuple(one.subject.split(".")[-2:])
    if batch["epoch"] == POSTED_EPOCH:
        return (*sender, told["metadata"]["post"]) in posts
    seqs = range(batch["first_seq"], batch["first_seq"] + len(batch["events"]))
    return ranges[*sender, batch["epoch"]] >= set(seqs) or any(_same_events(fork, one.body) for fork in forks)


def _same_events(fork: bytes, body: bytes) -> bool:
    """Whether a fork holds the events of an envelope, each byte for byte."""
    return fork[1:-1] in body
