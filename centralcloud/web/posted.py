"""From the body of a post to envelopes for the stream. Pure.

A body is JSON lines or an array of events, which are numbered where they are taken in, or one envelope, which is sent
on as it is: its sender numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from centralcloud.ingest.effects import flaw
from schemas.codec import InvalidMessageError, decode, decode_event, encode
from schemas.envelope import BYTES_MAX, EVENTS_MAX, POST_KEY, POSTED_EPOCH, Batch, Envelope, Source
from schemas.events import AnyEvent, CodePatternLearned
from schemas.replies import ErrorCode
from schemas.subjects import Topic
from shared.web.refusal import RefusedError

EVENTS_PER_POST_MAX: Final = 1000
_ENVELOPE: Final = Envelope.__struct_config__.tag
_FORGOTTEN_TOPIC: Final = CodePatternLearned.topic
"""A tombstone does not say what it was; subscribers find it among the patterns of code."""


class Parcel(NamedTuple):
    """One message for the stream."""

    topic: Topic
    body: bytes
    events: int


class _Kind(msgspec.Struct):
    type: str = ""


def parcels(body: bytes, key: str, instance: str, now: datetime) -> list[Parcel]:
    """Pack what was posted; raises `RefusedError` 400, 413 or 422, and nothing of the post is taken."""
    many = _documents(body)
    if len(many) == 1 and _kind(many[0]) == _ENVELOPE:
        return [_sent_on(many[0])]
    if len(many) > EVENTS_PER_POST_MAX:
        raise RefusedError(
            413, ErrorCode.INVALID_REQUEST, f"a post holds at most {EVENTS_PER_POST_MAX} events; send several"
        )
    by_topic: dict[Topic, list[Raw]] = {}
    for index, raw in enumerate(many):
        by_topic.setdefault(_topic(_judged(raw, index)), []).append(raw)
    packed = [(topic, events) for topic, found in by_topic.items() for events in _packs(found)]
    source = Source(instance_id=instance, environment="http")
    return [
        Parcel(topic, _envelope(events, f"{key}.{part}", source, now), len(events))
        for part, (topic, events) in enumerate(packed)
    ]


def _documents(body: bytes) -> list[Raw]:
    """Read an array, one document, or one on each line."""
    try:
        if body.lstrip()[:1] == b"[":
            return msgspec.json.decode(body, type=list[Raw])
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) > 1 and _is_document(lines[0]):
            return [Raw(line) for line in lines]
        return [msgspec.json.decode(body, type=Raw)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"the body must be an array of events, one on each line, or an envelope: {error}"
        raise RefusedError(400, ErrorCode.INVALID_REQUEST, message) from error


def _is_document(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _kind(raw: Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=_Kind).type
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _sent_on(raw: Raw) -> Parcel:
    try:
        batch = decode(raw, Envelope).data
    except InvalidMessageError as error:
        raise RefusedError(422, ErrorCode.VALIDATION_ERROR, str(error)) from error
    if batch.epoch == POSTED_EPOCH:
        raise RefusedError(
            422, ErrorCode.VALIDATION_ERROR, "an envelope needs an epoch of its own; post the events without it"
        )
    return Parcel(_topic(_read(batch.events[0], 0)), bytes(raw), len(batch.events))


def _topic(event: AnyEvent) -> Topic:
    topic: Topic = getattr(event, "topic", _FORGOTTEN_TOPIC)
    return topic


def _judged(raw: Raw, index: int) -> AnyEvent:
    """Judge one event: what could not be taken in is better told to who sends it than set aside."""
    event = _read(raw, index)
    if reason := flaw(event):
        raise _invalid(index, reason)
    return event


def _read(raw: Raw, index: int) -> AnyEvent:
    if len(bytes(raw)) > BYTES_MAX:
        raise RefusedError(413, ErrorCode.INVALID_REQUEST, f"event {index} is larger than {BYTES_MAX} bytes")
    try:
        return decode_event(raw)
    except InvalidMessageError as error:
        raise _invalid(index, str(error)) from error


def _invalid(index: int, reason: str) -> RefusedError:
    details = {"event": str(index)}
    return RefusedError(422, ErrorCode.VALIDATION_ERROR, f"event {index}: {reason}", details=details)


def _packs(events: Sequence[Raw]) -> Iterator[list[Raw]]:
    pack: list[Raw] = []
    size = 0
    for event in events:
        length = len(bytes(event))
        if pack and (len(pack) == EVENTS_MAX or size + length > BYTES_MAX):
            yield pack
            pack, size = [], 0
        pack.append(event)
        size += length
    if pack:
        yield pack


def _envelope(events: Sequence[Raw], key: str, source: Source, now: datetime) -> bytes:
    batch = Batch(epoch=POSTED_EPOCH, first_seq=1, events=tuple(events))
    return encode(Envelope(timestamp=now, source=source, data=batch, metadata={POST_KEY: key}))
