"""What is said on the channel `flocklore_jobs`, so that workers need not poll."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

CHANNEL: Final = "flocklore_jobs"
_NAMED_MAX: Final = 100


class Signal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has changed; one that cannot be read means that anything may have."""

    queues: tuple[str, ...] = ()
    due: bool = False
    cancelled: tuple[int, ...] = ()
    everything: bool = False


EVERYTHING: Final = Signal(everything=True)
_DECODER: Final = msgspec.json.Decoder(Signal)


def look(*queues: str) -> str:
    """Say that jobs of these queues wait."""
    return _write(Signal(queues=queues))


def due() -> str:
    """Say that something is due within seconds."""
    return _write(Signal(due=True))


def cancelled(ids: Iterable[int]) -> str:
    """Say that these jobs are no longer whoever's runs them."""
    named = tuple(ids)
    return _write(Signal(cancelled=named) if len(named) <= _NAMED_MAX else EVERYTHING)


def everything() -> str:
    """Say that all that can be known is to be read again: queues, workers, jobs."""
    return _write(EVERYTHING)


def read(payload: str) -> Signal:
    """Understand what somebody said, perhaps by hand."""
    try:
        return _DECODER.decode(payload)
    except msgspec.DecodeError:
        return EVERYTHING


def _write(signal: Signal) -> str:
    return msgspec.json.encode(signal).decode()
