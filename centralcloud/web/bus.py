"""The streams of JetStream, who reads them and how far, and what could not be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from centralcloud import jetstream
from centralcloud.jetstream import Consumer, Stream
from centralcloud.store import letter_pages
from centralcloud.store.letter_pages import Letter
from centralcloud.web.paging import page, read_cursor
from centralcloud.web.shapes.common import Listed
from centralcloud.web.shapes.system import ConsumerItem, LetterItem, LettersAsked, StreamItem, Streams, StreamsAsked
from shared.bus import Bus

STREAMS_MAX: Final = 50


def streams(bus: Bus) -> Callable[[StreamsAsked], Awaitable[Streams]]:
    """Ask JetStream how the streams stand; `UnreachableError` when it does not answer."""

    async def answer(_query: StreamsAsked) -> Streams:
        account, found = await asyncio.gather(jetstream.account(bus), jetstream.streams(bus))
        version = bus.client.connected_server_version
        return Streams(
            server=_address(bus),
            server_version=".".join(str(part) for part in (version.major, version.minor, version.patch)),
            bytes_used=account.storage,
            bytes_max=_limit(account.limits.max_storage),
            items=list(await asyncio.gather(*(_stream(bus, one) for one in found[:STREAMS_MAX]))),
        )

    return answer


async def letters(connection: AsyncConnection, query: LettersAsked) -> Listed[LetterItem]:
    """List what could not be read, newest first."""
    before = read_cursor(query.after, tuple[int])
    found = await letter_pages.page(
        connection, query.tenant, query.limit + 1, replayed=query.replayed, before=before[0] if before else None
    )
    return page(found, query.limit, lambda one: (one.id,), _letter)


async def _stream(bus: Bus, found: Stream) -> StreamItem:
    config, state = found.config, found.state
    readers = await jetstream.consumers(bus, config.name)
    return StreamItem(
        name=config.name,
        subjects=config.subjects,
        messages=state.messages,
        bytes=state.bytes,
        bytes_max=_limit(config.max_bytes),
        first_seq=state.first_seq,
        last_seq=state.last_seq,
        first_at=jetstream.moment(state.first_ts),
        last_at=jetstream.moment(state.last_ts),
        senders=state.num_subjects or 0,
        replicas=config.num_replicas,
        leader=found.cluster.leader if found.cluster else None,
        consumers=list(await asyncio.gather(*(_consumer(bus, config.name, one) for one in readers))),
    )


async def _consumer(bus: Bus, stream: str, found: Consumer) -> ConsumerItem:
    lag = found.num_pending + found.num_ack_pending
    return ConsumerItem(
        name=found.name,
        pending=found.num_pending,
        ack_pending=found.num_ack_pending,
        redelivered=found.num_redelivered,
        waiting=found.num_waiting,
        delivered=found.delivered.stream_seq,
        acknowledged=found.ack_floor.stream_seq,
        lag=lag,
        lag_seconds=await _age(bus, stream, found.ack_floor.stream_seq + 1) if lag else 0.0,
        last_active_at=jetstream.moment(found.delivered.last_active),
    )


async def _age(bus: Bus, stream: str, seq: int) -> float | None:
    """Seconds since a message came; None when it is gone."""
    at = await jetstream.stored_at(bus, stream, seq)
    return None if at is None else round(max(0.0, (datetime.now(UTC) - at).total_seconds()), 1)


def _address(bus: Bus) -> str:
    url = bus.client.connected_url
    return f"{url.hostname}:{url.port}" if url else ""


def _limit(found: int | None) -> int | None:
    """A limit; JetStream says -1 where there is none."""
    return found if found is not None and found > 0 else None


def _letter(found: Letter) -> LetterItem:
    return LetterItem(
        id=found.id,
        instance=found.instance,
        subject=found.subject,
        epoch=found.epoch,
        seq=found.seq,
        error=found.error,
        bytes=found.size_bytes,
        excerpt=found.excerpt.decode("utf-8", errors="replace"),
        received_at=found.received_at,
        replayed_at=found.replayed_at,
    )
