"""One leader among the processes that share a database: who holds the lease runs the parts, the others watch.

The parts work on `Leadership.engine`: each of its transactions begins by checking, and for its length keeping, the
lease. So what a leader does that was frozen or cut off, and has been replaced meanwhile, is refused as a whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from typing import Final, Literal

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import grants
from shared.database import transaction
from shared.errors import AlreadyRunningError, TransientError
from shared.grants import Holding
from shared.lease import Lease, LeaseLostError, is_dead_process_here
from shared.metrics import Metrics
from shared.service import Service, first_end

log = structlog.get_logger(__name__)

Candidacy = Literal["primary", "standby", ""]

CHANNEL: Final = "flocklore_leader"
PRESENCE_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 30.0
"""How long who stepped down, or was passed over, lets others lead."""

EXPIRY_MARGIN_SECONDS: Final = 0.05


class Word(Struct, frozen=True, omit_defaults=True):
    """What is said to all candidates: who shall lead next, or which leader, by its epoch, shall step down."""

    promote: str = ""
    step_down: int = 0


def guarded(engine: AsyncEngine, tenure: Callable[[], Lease]) -> AsyncEngine:
    """Give an engine on the same connections whose transactions begin with a check of the lease, and keep it.

    Each of them raises `LeaseLostError`, having done nothing, when the lease is no longer ours.
    """
    guarded_engine = engine.execution_options()

    def fence(connection: Connection) -> None:
        lease = tenure()
        values = {"name": lease.lock_name, "epoch": lease.epoch}
        if connection.execute(grants.FENCE, values).scalar() is None:
            raise LeaseLostError(f"{lease.lock_name} is not ours; nothing was written")

    event.listen(guarded_engine.sync_engine, "begin", fence)
    return guarded_engine


class Leadership(Service):
    """Runs its parts while it holds the lease, and only then.

    A `standby` lets a lease that was released, or is free when it comes, go by for one check, so that a primary gets
    it; when a leader dies that it has watched, it takes over at once.
    """

    name = "leadership"

    def __init__(
        self,
        engine: AsyncEngine,
        lock_name: str,
        metrics: Metrics,
        *,
        candidate: str,
        candidacy: Candidacy = "",
        ttl_seconds: float = 10.0,
        check_seconds: float = 5.0,
    ) -> None:
        super().__init__()
        holder = f"{candidacy or 'any'}:{secrets.token_hex(8)}"
        self._lease = Lease(engine, lock_name, holder=holder, ttl_seconds=ttl_seconds, metrics=metrics)
        self._presence = Lease(
            engine,
            f"{candidates_prefix(lock_name)}{candidate}",
            holder=holder,
            ttl_seconds=PRESENCE_SECONDS,
            advice="give each process that shares a database a WORKER_ID of its own",
        )
        self.engine = guarded(engine, lambda: self._lease)
        """What the parts work on."""
        self._plain_engine = engine
        self._metrics = metrics
        self._candidate = candidate
        self._candidacy = candidacy
        self._check_seconds = check_seconds
        self._parts: tuple[Service, ...] = ()
        self._wake = asyncio.Event()
        self._abdicate = asyncio.Event()
        self._paused_until = 0.0
        self._is_promoted = False
        self._watched_epoch = 0
        self._let_go_by = False

    def lead(self, *parts: Service) -> None:
        """Say what runs while we lead, in start order; to be said before the service starts."""
        self._parts = parts

    @property
    def parts(self) -> tuple[Service, ...]:
        """What runs while we lead."""
        return self._parts

    @property
    def leading(self) -> bool:
        """Whether the lease is ours, as far as we know."""
        return self._lease.running

    @property
    def epoch(self) -> int:
        """Under which we lead; 0 while we do not."""
        return self._lease.epoch if self.leading else 0

    @property
    def watched_epoch(self) -> int:
        """Under which the leader that we last saw alive led."""
        return self._watched_epoch

    def hear(self, payload: str) -> None:
        """Take what was said on `CHANNEL`; an empty payload: something may have been missed."""
        word = _read(payload)
        if word.promote:
            self._is_promoted = word.promote == self._candidate
            self._paused_until = 0.0 if self._is_promoted else time.monotonic() + PAUSE_SECONDS
        if self.leading and word.step_down == self._lease.epoch:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            self._abdicate.set()
        self._lease.check()
        self._wake.set()

    async def open(self) -> None:
        """Become a candidate, and the leader if the lease is free; a standby first waits whether another wants it."""
        self._metrics.leading.set(0)
        await self._presence.start()
        try:
            if self._candidacy != "standby":
                await self._take()
        except BaseException:
            await self._presence.stop()
            raise

    async def run(self) -> None:
        """Lead whenever it is our turn; fails with what a part fails with."""
        while True:
            try:
                if self._lease.running:
                    await self._reign()
                else:
                    await self._campaign()
            except TransientError as error:
                log.warning("leadership put off", reason=str(error))
                await self._rest(min(1.0, self._check_seconds))

    async def close(self) -> None:
        """Stop the parts, give the lease free."""
        await self._resign()
        await self._presence.stop()
        self._metrics.leading.forget()

    async def _reign(self) -> None:
        """Run the parts until the lease is lost, a part fails or we are asked to step down."""
        self._metrics.leading.set(1)
        self._metrics.leader_epoch.set(self._lease.epoch)
        try:
            for part in self._parts:
                await part.start()
            await first_end((self._lease, *self._parts), self._abdicate)
            log.info("stepping down", lease=self._lease.lock_name, epoch=self._lease.epoch)
        except LeaseLostError as error:
            log.warning("no longer leading", reason=str(error))
            self._paused_until = max(self._paused_until, time.monotonic() + self._check_seconds)
        finally:
            self._metrics.leading.set(0)
            self._metrics.leader_epoch.forget()
        await self._resign()

    async def _resign(self) -> None:
        for part in reversed(self._parts):
            await part.stop()
        await self._lease.stop()

    async def _campaign(self) -> None:
        """Look who leads; take the lease if it is our turn, else wait for the next look."""
        if not self._presence.running:
            await self._presence.stop()
            await self._presence.start()
        last = await self._last_holder()
        if last is not None and last.remaining_seconds > 0 and not is_dead_process_here(last):
            self._watched_epoch, self._let_go_by = last.epoch, False
            await self._rest(min(self._check_seconds, last.remaining_seconds + EXPIRY_MARGIN_SECONDS))
        elif (paused := self._paused_until - time.monotonic()) > 0:
            await self._rest(min(paused, self._check_seconds))
        elif self._is_turn(last):
            await self._take()
        else:
            self._let_go_by = True
            await self._rest(self._check_seconds)

    def _is_turn(self, last: Holding | None) -> bool:
        """Whether a free lease is for us; one that its holder did not release has no other heir than who watched."""
        died_under_our_eyes = last is not None and last.epoch == self._watched_epoch
        return self._candidacy != "standby" or died_under_our_eyes or self._let_go_by or self._is_promoted

    async def _take(self) -> None:
        self._abdicate.clear()
        try:
            await self._lease.start()
        except AlreadyRunningError as error:
            log.debug("somebody else leads", reason=str(error))
            return
        self._is_promoted = self._let_go_by = False
        if self._lease.is_failover:
            self._metrics.orchestrator_failovers.inc()
        log.info(
            "leading", lease=self._lease.lock_name, epoch=self._lease.epoch, is_failover=self._lease.is_failover,
            candidate=self._candidate,
        )  # fmt: skip

    async def _last_holder(self) -> Holding | None:
        async with transaction(self._plain_engine) as connection:
            return await grants.holding(connection, self._lease.lock_name, also_expired=True)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
        self._wake.clear()


def candidates_prefix(lock_name: str) -> str:
    """What the presence of every candidate for a lock is called before its name."""
    return f"{lock_name.rpartition(':')[0]}:candidate:"


def _read(payload: str) -> Word:
    try:
        return msgspec.json.decode(payload, type=Word) if payload else Word()
    except msgspec.DecodeError:
        log.warning("heard something that is no word to candidates", payload=payload[:100])
        return Word()
