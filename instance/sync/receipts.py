"""Agreeing with centralcloud on what has arrived, and noticing when one of the two was restored, wiped or cloned."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

import structlog
from nats.aio.msg import Msg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from instance.config import Sharing
from instance.store import identity, outbox
from instance.store.identity import Identity
from instance.store.outbox import Uplink
from instance.sync.snapshot import begin_epoch
from schemas import subjects
from schemas.codec import InvalidMessageError, decode, encode, event_hash
from schemas.replies import ErrorBody, ErrorCode, Response
from schemas.subjects import Sender
from schemas.sync import Receipt, SyncRequest
from shared.bus import Bus
from shared.database import transaction
from shared.errors import AlreadyRunningError, ContractError, PermanentError, UnreachableError
from shared.metrics import Metrics
from shared.service import Service
from shared.version import VERSION

log = structlog.get_logger(__name__)

SYNC_SECONDS: Final = 60.0
SYNC_JITTER: Final = 0.2
RETRY_SECONDS: Final = 2.0
SUCCESSION_SECONDS_MAX: Final = 30.0
"""Whoever is still heard after this long lives."""


class Verdict(Enum):
    """What a receipt means for us."""

    STALE = "about another epoch, or older than what we know"
    CONFIRMED = "everything up to the watermark has arrived"
    FORGOTTEN = "centralcloud lost what it had confirmed: it was restored from a backup"
    FOREIGN = "centralcloud has events of ours we never wrote: we are a clone, or were restored"


def judge(receipt: Receipt, uplink: Uplink, own_hash: str | None, oldest: int | None, *, fresh: bool) -> Verdict:
    """Compare a receipt with our own sequence. Pure.

    `own_hash` is of our event at the watermark, None when we no longer keep it; `fresh` tells an answer to our
    question from a receipt sent by itself, which may have been overtaken.
    """
    if receipt.epoch != uplink.epoch:
        return Verdict.STALE
    contradicted = receipt.wm_hash is not None and own_hash is not None and receipt.wm_hash != own_hash
    arrived = max((last + 1 for _, last in receipt.gaps), default=receipt.wm)  # something did come after each gap
    if receipt.rotate_after is not None or arrived > uplink.head or contradicted:
        return Verdict.FOREIGN
    if receipt.wm >= uplink.confirmed:
        return Verdict.CONFIRMED
    if not fresh:
        return Verdict.STALE
    kept = oldest is not None and oldest <= receipt.wm + 1
    return Verdict.FORGOTTEN if kept else Verdict.FOREIGN


class NotAdmittedError(PermanentError):
    """This hub must not have what is ours: the tenant belongs to another region."""


class Receipts(Service):
    """Asks for our receipt on every connect and every minute, and takes those that come by themselves."""

    name = "receipts"

    def __init__(
        self,
        engine: AsyncEngine,
        bus: Bus,
        me: Identity,
        metrics: Metrics,
        *,
        sharing: Sharing,
        on_admitted: Callable[[], None],
        on_turned_away: Callable[[], None] | None = None,
        on_due: Callable[[], None],
        sync_seconds: float = SYNC_SECONDS,
    ) -> None:
        super().__init__()
        self._engine = engine
        self._bus = bus
        self._identity = me
        self._metrics = metrics
        self._sender = Sender(me.tenant, me.instance_id)
        self._sharing = sharing
        self._on_admitted = on_admitted
        self._on_turned_away = on_turned_away
        self._on_due = on_due
        self._sync_seconds = sync_seconds
        self._ask = asyncio.Event()
        self._durable_wm = 0
        self._admitted = False
        self._refused_since: float | None = None
        self.refusal = ""
        """Why the hub does not admit us; empty while it does, and until it has answered."""
        bus.subscribe(subjects.receipt(self._sender), self._receive)
        bus.on_connect(self._asked)

    @property
    def durable_wm(self) -> int:
        """Up to here centralcloud would survive the loss of its database."""
        return self._durable_wm

    async def run(self) -> None:
        """Ask, and ask again soon while centralcloud is away."""
        while True:
            await self._bus.connected.wait()
            self._ask.clear()
            try:
                await self._sync()
                wait = self._sync_seconds * random.uniform(1 - SYNC_JITTER, 1 + SYNC_JITTER)  # noqa: S311 - jitter
            except UnreachableError as error:
                log.debug("centralcloud did not answer", reason=str(error))
                wait = min(RETRY_SECONDS, self._sync_seconds)
            except NotAdmittedError as error:
                self._turned_away(str(error))
                wait = self._sync_seconds
            except (ContractError, DBAPIError) as error:
                log.warning("centralcloud says what cannot be", error=str(getattr(error, "orig", error)))
                wait = self._sync_seconds
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ask.wait(), wait)

    async def _asked(self) -> None:
        self._ask.set()

    async def _sync(self) -> None:
        async with transaction(self._engine) as connection:
            uplink = await outbox.get(connection)
        request = SyncRequest(
            epoch=uplink.epoch,
            head=uplink.head,
            holder=self._identity.holder,
            previous_holder=self._identity.previous_holder,
            hostname=socket.gethostname(),
            version=VERSION,
        )
        reply = _read(await self._bus.request(subjects.sync(self._sender), encode(request)))
        if reply.error is not None and reply.error.code is ErrorCode.CONFLICT:
            self._refused(reply.error)
        if reply.error is not None and reply.error.code is ErrorCode.UNAUTHORIZED:
            raise NotAdmittedError(reply.error.message)
        if reply.data is None:
            raise UnreachableError(reply.error.message if reply.error else "an empty answer")
        self._refused_since = None
        self.refusal = ""
        await self._note_admission()
        if await self._take(reply.data, asked=uplink) is not Verdict.FOREIGN:
            self._on_admitted()

    def _refused(self, error: ErrorBody) -> None:
        """Give up when another daemon speaks for us; wait for one that ran before us here and may have died."""
        now = time.monotonic()
        self._refused_since = self._refused_since or now
        if error.retryable and now - self._refused_since < SUCCESSION_SECONDS_MAX:
            log.warning("waiting to succeed the daemon before us", reason=error.message)
            return
        raise AlreadyRunningError(
            f"another daemon speaks for {self._identity.instance_id}: {error.message}; "
            "stop it, or choose another INSTANCE_ID"
        )

    def _turned_away(self, reason: str) -> None:
        """Keep what we learn, and say once why."""
        if reason != self.refusal:
            log.warning("not admitted: what is learned stays in the outbox", reason=reason)
        self.refusal = reason
        if self._on_turned_away is not None:
            self._on_turned_away()

    async def _note_admission(self) -> None:
        if not self._admitted:
            async with transaction(self._engine) as connection:
                await identity.mark_admitted(connection, self._identity.holder)
            self._admitted = True

    async def _receive(self, message: Msg) -> None:
        try:
            receipt = decode(message.data, Receipt)
        except InvalidMessageError as error:
            log.warning("unreadable receipt", error=str(error))
            return
        await self._take(receipt)

    async def _take(self, receipt: Receipt, asked: Uplink | None = None) -> Verdict:
        """Act on a receipt; `asked` is where we stood when we asked for it, None when it came by itself."""
        # An answer may be overtaken, too: by a receipt for what was committed while it was on its way.
        fresh = asked is not None and receipt.wm < asked.confirmed
        async with transaction(self._engine) as connection:
            uplink = await outbox.lock(connection)
            own_hash = await _hash_at(connection, receipt)
            verdict = judge(receipt, uplink, own_hash, await outbox.oldest(connection, uplink.epoch), fresh=fresh)
            await self._act(connection, verdict, receipt, answer=asked is not None)
        self._metrics.receipts_received.labels(verdict.name.lower()).inc()
        overtaken = verdict is Verdict.STALE and receipt.epoch == uplink.epoch
        if overtaken:
            self._ask.set()  # or centralcloud was restored: its answer to a question tells
        if verdict in (Verdict.FOREIGN, Verdict.FORGOTTEN):
            log.warning(verdict.value, epoch=receipt.epoch, wm=receipt.wm, head=uplink.head)
            self._ask.set()
        self._on_due()
        return verdict

    async def _act(self, connection: AsyncConnection, verdict: Verdict, receipt: Receipt, *, answer: bool) -> None:
        match verdict:
            case Verdict.CONFIRMED:
                await outbox.confirm(connection, receipt.epoch, receipt.wm)
                self._durable_wm = receipt.durable_wm
                for first, last in receipt.gaps if answer else ():
                    await outbox.unmark_sent(connection, receipt.epoch, first, last)
            case Verdict.FORGOTTEN:
                await outbox.take_back(connection, receipt.epoch, receipt.wm)
            case Verdict.FOREIGN:
                await begin_epoch(connection, self._sharing, after=receipt.rotate_after)
                self._metrics.epochs_rotated.inc()
            case Verdict.STALE:
                pass


def _read(data: bytes) -> Response[Receipt]:
    """Read an answer; one that cannot be read is none."""
    try:
        return decode(data, Response[Receipt])
    except InvalidMessageError as error:
        raise UnreachableError(f"centralcloud's answer is unreadable: {error}") from error


async def _hash_at(connection: AsyncConnection, receipt: Receipt) -> str | None:
    body = await outbox.body_at(connection, receipt.epoch, receipt.wm)
    return event_hash(body).hex() if body is not None else None
