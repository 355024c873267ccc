"""The stream of everything learned and its durable consumer: made, compared and repaired, as often as needed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError

from schemas import subjects

log = structlog.get_logger(__name__)

CONSUMER: Final = "central"
DAY_SECONDS: Final = 86_400
BYTES_MAX: Final = 10 * 1024**3
BYTES_MIN: Final = 64 * 1024**2
"""Where there is not even so much there is no stream."""

MESSAGE_BYTES_MAX: Final = 1024**2
ACK_WAIT_SECONDS: Final = 60
"""What was not acknowledged for so long is delivered again, here or to another hub."""

MESSAGES_PER_INSTANCE_MAX: Final = 50_000
"""A flooding instance fills its own subject and waits; the others go on."""

LOOKS: Final = 3
LOOK_AGAIN_SECONDS: Final = 0.2
_NO_ROOM: Final = "insufficient storage"
"""JetStream has one code for this and for too few servers; its words differ."""


def stream_config(replicas: int, bytes_max: int = BYTES_MAX) -> api.StreamConfig:
    """What the stream must look like."""
    return api.StreamConfig(
        name=subjects.STREAM,
        subjects=[subjects.STREAM_SUBJECT],
        retention=api.RetentionPolicy.LIMITS,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,
        discard_new_per_subject=True,
        max_msgs_per_subject=MESSAGES_PER_INSTANCE_MAX,
        max_msg_size=MESSAGE_BYTES_MAX,
        max_age=7 * DAY_SECONDS,
        max_bytes=bytes_max,
        duplicate_window=120,
        num_replicas=replicas,
        allow_direct=True,
        republish=api.RePublish(src=subjects.REPUBLISH_SOURCE, dest=subjects.REPUBLISH_DESTINATION),
    )


def consumer_config() -> api.ConsumerConfig:
    """What the durable consumer must look like: unlimited deliveries, since a message given up is a message lost."""
    return api.ConsumerConfig(
        durable_name=CONSUMER,
        deliver_policy=api.DeliverPolicy.ALL,
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_SECONDS,
        max_deliver=-1,
        max_ack_pending=2000,
    )


async def reconcile(jetstream: JetStreamContext, replicas: int) -> None:
    """Make the stream and the consumer where they are missing; reset a consumer that is ahead of its stream.

    Raises what nats-py raises: in a cluster that has just begun, or has lost a server, each step may be refused or time
    out for many seconds. It may then be said again at any time, by several hubs at once, and goes on where it was.
    """
    stream = await _ensure_stream(jetstream, replicas)
    try:
        consumer = await jetstream.consumer_info(subjects.STREAM, CONSUMER)
    except NotFoundError:
        await jetstream.add_consumer(subjects.STREAM, consumer_config())
        return
    delivered = consumer.delivered.stream_seq if consumer.delivered else 0
    if delivered > stream.state.last_seq and await _is_ahead(jetstream, delivered):
        await _reset(jetstream)


async def _ensure_stream(jetstream: JetStreamContext, replicas: int) -> api.StreamInfo:
    try:
        found = await jetstream.stream_info(subjects.STREAM)
    except NotFoundError:
        return await _make(jetstream, replicas)
    config = stream_config(replicas, found.config.max_bytes or BYTES_MAX)
    if _differs(found.config, config):
        try:
            return await jetstream.update_stream(config)
        except APIError as error:
            log.warning("the stream differs and cannot be changed", reason=str(error))
    return found


async def _make(jetstream: JetStreamContext, replicas: int) -> api.StreamInfo:
    """Make the stream, as large as it may be: a cluster does not tell what its servers have, so less is tried."""
    room = await _room(jetstream)
    while True:
        try:
            made = await jetstream.add_stream(stream_config(replicas, room))
        except APIError as error:
            if _NO_ROOM not in (error.description or "") or room < 2 * BYTES_MIN:
                raise
            room //= 2
        else:
            log.info("stream made", stream=subjects.STREAM, replicas=replicas, max_bytes=room)
            return made


async def _is_ahead(jetstream: JetStreamContext, delivered: int) -> bool:
    """Look again whether the stream is short of what was delivered.

    Another hub may have fetched what came after our first look, and a server of a cluster is a moment behind others.
    """
    for _ in range(LOOKS):
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        stream = await jetstream.stream_info(subjects.STREAM)
        if delivered <= stream.state.last_seq:
            return False
    log.warning("consumer is ahead of its stream; reset", delivered=delivered, last=stream.state.last_seq)
    return True


async def _reset(jetstream: JetStreamContext) -> None:
    with contextlib.suppress(NotFoundError):  # another hub saw it, too
        await jetstream.delete_consumer(subjects.STREAM, CONSUMER)
    await jetstream.add_consumer(subjects.STREAM, consumer_config())


async def _room(jetstream: JetStreamContext) -> int:
    """Bytes the stream may take: less than its limit where the server has less."""
    limit = (await jetstream.account_info()).limits.max_storage
    return min(BYTES_MAX, limit) if limit and limit > 0 else BYTES_MAX


def _differs(found: api.StreamConfig, wanted: api.StreamConfig) -> bool:
    names = ("subjects", "discard", "max_msgs_per_subject", "num_replicas", "max_age", "republish")
    return any(getattr(found, name) != getattr(wanted, name) for name in names)
