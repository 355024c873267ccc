"""What JetStream says of its streams and consumers, read from its API: nats-py leaves out when things happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from shared.bus import Bus
from shared.errors import UnreachableError

ASK_SECONDS: Final = 5.0
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_MESSAGE: Final = 10037
"""JetStream's code for a message that is not there any more."""

T = TypeVar("T")


class State(Struct, frozen=True):
    """What a stream holds."""

    messages: int
    bytes: int
    first_seq: int
    last_seq: int
    first_ts: datetime
    last_ts: datetime
    num_subjects: int | None = None


class Config(Struct, frozen=True):
    """How a stream was made."""

    name: str
    subjects: list[str] = []
    max_bytes: int = -1
    num_replicas: int = 1


class Cluster(Struct, frozen=True):
    """Where it lives."""

    leader: str | None = None


class Stream(Struct, frozen=True):
    """One stream."""

    config: Config
    state: State
    cluster: Cluster | None = None


class Position(Struct, frozen=True):
    """How far a consumer is."""

    stream_seq: int
    last_active: datetime | None = None


class Consumer(Struct, frozen=True):
    """Who reads a stream."""

    name: str
    delivered: Position
    ack_floor: Position
    num_ack_pending: int = 0
    num_redelivered: int = 0
    num_waiting: int = 0
    num_pending: int = 0


class Limits(Struct, frozen=True):
    """What the account may use."""

    max_storage: int = -1


class Account(Struct, frozen=True):
    """What the account uses."""

    storage: int
    limits: Limits


class _Error(Struct, frozen=True):
    description: str = ""
    err_code: int = 0


class _Streams(Struct, frozen=True):
    streams: list[Stream] | None = None


class _Consumers(Struct, frozen=True):
    consumers: list[Consumer] | None = None


class _Stored(Struct, frozen=True):
    time: datetime


class _Message(Struct, frozen=True):
    message: _Stored


class _Failed(Struct, frozen=True):
    error: _Error | None = None


class RefusedByJetStreamError(UnreachableError):
    """JetStream answered, and would not: it is starting, has lost its quorum, or there is nothing of that name."""

    def __init__(self, what: str, error: _Error) -> None:
        super().__init__(f"JetStream refuses {what}: {error.description} ({error.err_code}); try again")
        self.code = error.err_code


async def account(bus: Bus) -> Account:
    """Read what the account uses; this and what follows raise `UnreachableError` when JetStream does not answer."""
    return await _ask(bus, "INFO", b"", Account)


async def streams(bus: Bus) -> list[Stream]:
    """Read the first streams by name, 256 at most."""
    return (await _ask(bus, "STREAM.LIST", b"", _Streams)).streams or []


async def consumers(bus: Bus, stream: str) -> list[Consumer]:
    """Read the first consumers of a stream, 256 at most."""
    return (await _ask(bus, f"CONSUMER.LIST.{stream}", b"", _Consumers)).consumers or []


async def stored_at(bus: Bus, stream: str, seq: int) -> datetime | None:
    """Read when a message came; None when it is gone."""
    try:
        return (await _ask(bus, f"STREAM.MSG.GET.{stream}", msgspec.json.encode({"seq": seq}), _Message)).message.time
    except RefusedByJetStreamError as error:
        if error.code == _NO_MESSAGE:
            return None
        raise


def moment(said: datetime | None) -> datetime | None:
    """None for what JetStream says of what never happened."""
    return None if said is None or said < _NEVER else said


async def _ask(bus: Bus, what: str, payload: bytes, kind: type[T]) -> T:
    reply = await bus.request(f"$JS.API.{what}", payload, ASK_SECONDS)
    try:
        failed = msgspec.json.decode(reply, type=_Failed).error
        if failed is not None:
            raise RefusedByJetStreamError(what, failed)
        return msgspec.json.decode(reply, type=kind)
    except msgspec.DecodeError as error:
        raise UnreachableError(f"JetStream's answer to {what} cannot be read ({error})") from error
