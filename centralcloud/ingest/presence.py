"""Answers to instances that ask how far they have arrived, and the registry of who lives."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Final, TypeVar

import structlog
from msgspec import structs
from nats.aio.msg import Msg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest.admission import Admission
from centralcloud.ingest.arrivals import Lineage
from centralcloud.ingest.commit import GAPS_MAX
from centralcloud.region.pinning import refusal
from centralcloud.store import envelopes, presence, watermarks
from centralcloud.store.presence import Heard, OtherHolder, Patience
from schemas import subjects
from schemas.codec import InvalidMessageError, decode
from schemas.replies import ErrorBody, ErrorCode, failure
from schemas.subjects import Sender, sender_of
from schemas.sync import Goodbye, Heartbeat, Receipt, SyncRequest
from shared import answering
from shared.bus import Bus
from shared.database import transaction
from shared.errors import UnreachableError
from shared.service import Service

log = structlog.get_logger(__name__)

T = TypeVar("T")

WRITE_SECONDS: Final = 1.0
HOLDERS_MAX: Final = 4
"""Who may say that they speak for one instance between two writes: the registered one, a successor, a clone."""


class Presence(Service):
    """Takes sync requests, heartbeats and goodbyes; any number of hubs may.

    However many instances there are, their heartbeats are one statement a second.
    """

    name = "presence"

    def __init__(self, engine: AsyncEngine, bus: Bus, patience: Patience | None = None, *, region: str = "") -> None:
        """`region` is where this is: tenants pinned to other ones are not admitted."""
        super().__init__()
        self._region = region
        self._heard: dict[Sender, dict[str, tuple[Heartbeat, float]]] = {}
        self._engine = engine
        self._patience = patience or Patience()
        bus.subscribe(subjects.SYNC_REQUESTS, self._answer_sync, queue="centralcloud")
        bus.subscribe(subjects.HEARTBEATS, self._heartbeat, queue="centralcloud")
        bus.subscribe(subjects.GOODBYES, self._goodbye, queue="centralcloud")

    @property
    def waiting(self) -> int:
        """How many heartbeats are not written down yet."""
        return sum(map(len, self._heard.values()))

    async def run(self) -> None:
        """Write down every second who was heard; while the database is away only who is heard again by then."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            if self._heard:
                with contextlib.suppress(UnreachableError):
                    await self._write()

    async def _answer_sync(self, message: Msg) -> None:
        if message.reply:
            await answering.reply(message, await self._sync(message))

    async def _sync(self, message: Msg) -> Receipt | ErrorBody:
        sender = sender_of(message.subject)
        if sender is None:
            return failure(ErrorCode.INVALID_REQUEST, "the subject must end in a tenant and an instance")
        try:
            request = decode(message.data, SyncRequest)
        except InvalidMessageError as error:
            return failure(ErrorCode.VALIDATION_ERROR, str(error))
        try:
            return await self._receipt(sender, request)
        except UnreachableError as error:
            return failure(ErrorCode.SERVICE_UNAVAILABLE, str(error))

    async def _receipt(self, sender: Sender, request: SyncRequest) -> Receipt | ErrorBody:
        lineage = Lineage(sender.tenant, sender.instance, request.epoch)
        async with transaction(self._engine) as connection:
            refused = await refusal(connection, sender.tenant, self._region)
            if refused is not None:
                return refused
            other = await presence.claim(connection, sender, request, self._patience)
            if other is not None:
                log.warning("refused a second holder", instance=sender.instance, hostname=request.hostname)
                return _refusal(sender, other, self._patience)
            newest = await watermarks.newest_epoch(connection, sender.tenant, sender.instance)
            state = await watermarks.get(connection, lineage)
            if state is None:
                return Receipt(epoch=request.epoch, wm=0, rotate_after=_later(newest, request.epoch))
            (beyond,) = await envelopes.ranges_beyond(connection, [state])
        return Receipt(
            epoch=state.epoch,
            wm=state.wm,
            wm_hash=state.wm_hash.hex() if state.wm_hash else None,
            gaps=Admission(state.wm, beyond).gaps[:GAPS_MAX],
            durable_wm=state.durable_wm,
            rotate_after=newest if state.forked else _later(newest, request.epoch),
        )

    async def _heartbeat(self, message: Msg) -> None:
        sender, beat = sender_of(message.subject), _read(message, Heartbeat)
        if sender is None or beat is None:
            return
        heard = self._heard.setdefault(sender, {})
        heard.pop(beat.holder, None)
        heard[beat.holder] = (beat, time.monotonic())
        if len(heard) > HOLDERS_MAX:
            del heard[next(iter(heard))]

    async def _write(self) -> None:
        """Write down who was heard since the last time, the last word of each."""
        now = time.monotonic()
        heard, self._heard = self._heard, {}
        beats = [Heard(sender, beat, now - at) for sender, said in heard.items() for beat, at in said.values()]
        known = await self._note(beats)
        if known < len(beats):
            log.debug("heartbeats of unregistered holders", count=len(beats) - known)

    async def _note(self, beats: Sequence[Heard]) -> int:
        """Write heartbeats down, of how many it was news; one that the database refuses takes no other with it."""
        try:
            async with transaction(self._engine) as connection:
                return await presence.heartbeats(connection, beats)
        except DBAPIError as error:
            if len(beats) == 1:
                log.warning("the database refused a heartbeat", sender=beats[0].sender, error=str(error.orig))
                return 0
        return sum([await self._note([beat]) for beat in beats])

    async def _goodbye(self, message: Msg) -> None:
        sender, word = sender_of(message.subject), _read(message, Goodbye)
        if sender is None or word is None:
            return
        async with transaction(self._engine) as connection:
            await presence.goodbye(connection, sender, word)


def _refusal(sender: Sender, other: OtherHolder, patience: Patience) -> ErrorBody:
    """To be asked again when the other may just have died, and the asker is its successor."""
    body = failure(ErrorCode.CONFLICT, f"{sender.instance} is spoken for by {other.description}")
    if not other.ours_before:
        return body
    return structs.replace(body, retryable=True, retry_after_seconds=patience.silence_seconds)


def _later(newest: str | None, epoch: str) -> str | None:
    """An epoch later than the asker's exists: it was restored from a backup, or is a clone."""
    return newest if newest is not None and newest > epoch else None


def _read(message: Msg, kind: type[T]) -> T | None:
    try:
        return decode(message.data, kind)
    except InvalidMessageError as error:
        log.warning("unreadable message", subject=message.subject, error=str(error))
        return None
