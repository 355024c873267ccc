"""The relay: numbers committed events, packs and publishes them, and sends again what is not confirmed.

It alone numbers, under the instance's lease, so that sequences have no gaps. A PubAck means "sent", never "delete".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.store import outbox, signing_key
from instance.store.identity import Identity
from instance.sync.flow import Pace
from instance.sync.packing import Parcel, pack
from schemas import headers, subjects
from schemas.envelope import EVENTS_MAX, Source
from schemas.subjects import Sender
from shared import tracing
from shared.bus import Bus
from shared.database import transaction
from shared.errors import TransientError, UnreachableError
from shared.flow import Flow
from shared.lease import Lease
from shared.metrics import Metrics
from shared.publisher import WINDOW, PubAck, WindowPublisher
from shared.service import Service
from shared.signing import Signer

log = structlog.get_logger(__name__)

ROUND_EVENTS_MAX: Final = EVENTS_MAX * WINDOW
IDLE_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.5
PUBLISH_SECONDS: Final = 10.0
TRIES_PER_ID: Final = 3
FLUSH_SECONDS: Final = 2.0
_LOOK_AGAIN_SECONDS: Final = 0.05


class Uplink(Service):
    """Publishes the outbox for as long as `admitted` is set."""

    name = "uplink"

    def __init__(
        self,
        engine: AsyncEngine,
        bus: Bus,
        lease: Lease,
        identity: Identity,
        source: Source,
        metrics: Metrics,
        *,
        resend_seconds: float = outbox.RESEND_SECONDS,
    ) -> None:
        super().__init__()
        self.admitted = asyncio.Event()
        """Set once centralcloud let us speak for this instance."""
        self._engine = engine
        self._bus = bus
        self._lease = lease
        self._instance_id = identity.instance_id
        self._sender = Sender(identity.tenant, identity.instance_id)
        self._source = source
        self._metrics = metrics
        self._resend_seconds = resend_seconds
        self._publisher = WindowPublisher(bus)
        self.pace = Pace(Flow(bus))
        """How much of it is sent when."""
        self._wake = asyncio.Event()
        self._stream_seq = 0

    def wake(self) -> None:
        """Say that something was appended."""
        self._wake.set()

    async def run(self) -> None:
        """Publish what is due, then wait to be woken."""
        while True:
            await self.admitted.wait()
            await self._bus.connected.wait()
            self._wake.clear()
            try:
                events_max = await self.pace.leave(ROUND_EVENTS_MAX)
                if not await self._publish_round(events_max):
                    await self._idle()
                elif self.pace.slow:
                    await self._look()
            except UnreachableError as error:
                log.debug("uplink waits", reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def close(self) -> None:
        """Send what is left and wait a little until it is confirmed; what is not stays for the next start."""
        if not self.admitted.is_set() or not self._bus.connected.is_set():
            return
        with contextlib.suppress(TransientError, TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                while not self.pace.slow and await self._publish_round(ROUND_EVENTS_MAX):
                    pass
                while await self._look():  # noqa: ASYNC110 - it is confirmed in the database
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _look(self) -> int:
        """How many events are unconfirmed."""
        async with transaction(self._engine) as connection:
            pending, _ = await outbox.backlog(connection)
        return pending

    async def _idle(self) -> None:
        """Wait to be woken; look again now and then for appends by other processes and for resends."""
        await self._look()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)

    async def _publish_round(self, events_max: int) -> int:
        """Take what is to be sent again, number what is new, publish; returns how many events went out.

        While centralcloud has too much before it, what was sent and is not confirmed is part of that: it is not sent
        again for longer.
        """
        resend_seconds = outbox.RESEND_SECONDS_MAX if self.pace.slow else self._resend_seconds
        async with transaction(self._engine) as connection:
            await self._lease.fence(connection)
            epoch = (await outbox.lock(connection)).epoch
            signer = await signing_key.get(connection)
            events = await outbox.take_due(connection, events_max, resend_seconds)
            events += await outbox.number(connection, events_max - len(events))
        parcels = list(pack(events))
        sending = (self._traced(parcel, epoch, signer) for parcel in parcels)
        outcomes = await asyncio.gather(*sending, return_exceptions=True)
        self._metrics.events_sent.inc(len(events))
        self._metrics.events_resent.inc(sum(event.attempt > 1 for event in events))
        await self._settle(epoch, parcels, outcomes)
        return len(events)

    async def _traced(self, parcel: Parcel, epoch: str, signer: Signer | None) -> PubAck:
        with tracing.span("publish", kind="producer", parents=[parcel.traceparent], events=len(parcel.events)):
            return await self._publish(parcel, epoch, signer)

    async def _publish(self, parcel: Parcel, epoch: str, signer: Signer | None) -> PubAck:
        """Publish one envelope, trying again under the same id."""
        message_id = parcel.message_id(self._instance_id, epoch)
        subject = subjects.learned(parcel.topic, self._sender)
        payload = parcel.envelope(epoch, self._source, datetime.now(UTC))
        message_headers = {
            headers.MESSAGE_ID: message_id,
            headers.EXPECTED_STREAM: subjects.STREAM,
            headers.TRACEPARENT: tracing.current() or headers.traceparent(),
            **headers.cloudevent(
                event_id=message_id,
                event_type="intelligence.envelope.v1",
                source=f"/flocklore/{self._sender.tenant}/{self._instance_id}",
                subject=f"{parcel.topic.domain}.{parcel.topic.kind}",
            ),
            **(signer.seal(subject, message_id, payload) if signer else {}),
        }
        for _ in range(TRIES_PER_ID - 1):
            with contextlib.suppress(UnreachableError):
                return await self._publisher.publish(subject, payload, message_headers, PUBLISH_SECONDS)
            await asyncio.sleep(RETRY_SECONDS)
        return await self._publisher.publish(subject, payload, message_headers, PUBLISH_SECONDS)

    async def _settle(self, epoch: str, parcels: Sequence[Parcel], outcomes: Sequence[PubAck | BaseException]) -> None:
        """Make what was not acknowledged due again; when the stream went backwards, everything unconfirmed.

        What the stream refused, full for instance, is left to the waiting times of resends.
        """
        acknowledged = [outcome.seq for outcome in outcomes if isinstance(outcome, PubAck) and not outcome.duplicate]
        rolled_back = bool(acknowledged) and min(acknowledged) <= self._stream_seq
        self._stream_seq = max(acknowledged, default=self._stream_seq)
        unheard = [parcel for parcel, outcome in zip(parcels, outcomes, strict=True) if _unheard(outcome)]
        if rolled_back or unheard:
            async with transaction(self._engine) as connection:
                if rolled_back:
                    log.warning("the stream was wiped or rolled back; sending again what is unconfirmed")
                    await outbox.unmark_sent(connection, epoch, 1, parcels[0].first_seq - 1)
                for parcel in unheard:
                    await outbox.unmark_sent(connection, epoch, parcel.first_seq, parcel.last_seq)
        if unheard:
            raise UnreachableError(f"{len(unheard)} envelopes were not acknowledged")


def _unheard(outcome: PubAck | BaseException) -> bool:
    """Whether nothing was heard of an envelope; a refusal is logged, a bug raised."""
    if isinstance(outcome, PubAck):
        return False
    if not isinstance(outcome, TransientError):
        raise outcome
    if not isinstance(outcome, UnreachableError):
        log.warning("the stream refused an envelope; it is sent again later", reason=str(outcome))
    return isinstance(outcome, UnreachableError)
