"""Named leases with a time to live and a fencing epoch: rows of `distributed_locks`, times by the database's clock.

Every grant has an epoch of its own. Whoever writes under a lease checks the epoch in the same transaction (`fence`),
so a holder that was frozen past its time and wakes up changes nothing. That, not punctual renewal, is what protects:
a lease is renewed by the event loop, and one that was late goes on if nobody else was granted it meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared import grants
from shared.database import transaction
from shared.errors import AlreadyRunningError, TransientError
from shared.grants import Claim, Grant, Holding
from shared.service import Service, end_all

if TYPE_CHECKING:
    from shared.metrics import Metrics

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.25
"""How often who waits for a lease looks whether it is free."""

BLOCKED_SECONDS: Final = 1.0
"""How long an unfinished transaction of a holder whose time is over may go on doing nothing."""

T = TypeVar("T")


class LeaseLostError(TransientError):
    """The lease expired or went to somebody else; nothing was written."""


def is_dead_process_here(holding: Holding) -> bool:
    """Whether it was a process of this machine that no longer exists (a reused pid counts as gone)."""
    return holding.hostname == socket.gethostname() and process_started(holding.pid) != holding.pid_started


def process_started(pid: int) -> float:
    """Start time of a process in clock ticks since boot; -1 when there is none, 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0 if not Path("/proc/self/stat").exists() and _exists(pid) else -1.0
    return -1.0 if fields[0] == "Z" else float(fields[19])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.asynccontextmanager
async def not_held_up(connection: AsyncConnection) -> AsyncIterator[None]:
    """While this connection waits for a holder whose time is over, end sessions that only sit in a transaction.

    A process that is frozen would never end its own.
    """
    ending = asyncio.create_task(_end_idle_blockers(connection.engine, await grants.backend(connection)))
    try:
        yield
    finally:
        await end_all(ending)


async def _end_idle_blockers(engine: AsyncEngine, backend: int) -> None:
    while True:
        await asyncio.sleep(BLOCKED_SECONDS)
        async with transaction(engine) as connection:
            if ended := await grants.end_idle_blockers(connection, backend):
                log.warning("ended sessions of a frozen lock holder", sessions=ended)


class Lease(Service):
    """Holds a name for as long as the service runs; `run` raises `LeaseLostError` when it was lost.

    Starting waits up to `wait_seconds` for whoever holds it; `advice` ends the error that says who that is.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        name: str,
        *,
        holder: str,
        ttl_seconds: float = 10.0,
        wait_seconds: float = 0.0,
        advice: str = "stop it, or choose another INSTANCE_ID",
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        self.name = f"lease {name}"
        self.lock_name = name
        self.lost = asyncio.Event()
        """Set as soon as it is known that the lease is no longer ours."""
        self.is_failover = False
        """Whether whoever held it before did not release it."""
        self.epoch = 0
        self._engine = engine
        self._claim = Claim(name, holder, socket.gethostname(), os.getpid(), process_started(os.getpid()), ttl_seconds)
        self._wait_seconds = wait_seconds
        self._advice = advice
        self._metrics = metrics
        self._check = asyncio.Event()

    async def open(self) -> None:
        """Acquire; raises `AlreadyRunningError` naming the live holder."""
        started, outcome = time.monotonic(), "refused"
        try:
            await self._acquire_in_time()
            outcome = "acquired"
        finally:
            if self._metrics is not None:  # by what comes before the colon: names behind it are without number
                seconds = self._metrics.lock_seconds.labels(self.lock_name.partition(":")[0], outcome)
                seconds.observe(time.monotonic() - started)

    async def _acquire_in_time(self) -> None:
        deadline = time.monotonic() + self._wait_seconds
        while (grant := await self._acquire(vacated=None)) is None:
            other = await self._other()
            if other is None:
                continue
            if is_dead_process_here(other):
                if (grant := await self._acquire(vacated=other.epoch)) is not None:
                    break
            elif (left := deadline - time.monotonic()) <= 0:
                raise self._refusal(other)
            else:
                await asyncio.sleep(min(left, LOOK_SECONDS))
        self.epoch, self.is_failover = grant.epoch, grant.is_failover
        self.lost.clear()

    async def run(self) -> None:
        """Renew three times per time to live; a database that is away is retried until the lease has expired."""
        renewed = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._check.wait(), self._claim.ttl / 3)
            self._check.clear()
            try:
                async with asyncio.timeout(self._claim.ttl):
                    held = await self._renew()
            except (TransientError, TimeoutError):
                if time.monotonic() - renewed > self._claim.ttl:
                    raise self._loss("expired while the database was away") from None
                continue
            if not held:
                raise self._loss("went to another holder")
            renewed = time.monotonic()

    async def close(self) -> None:
        """Give the name free at once; an unreachable database lets it expire."""
        try:
            async with transaction(self._engine) as connection:
                await grants.end(connection, self.lock_name, self.epoch, ended="released")
        except TransientError as error:
            log.warning("lease left to expire", lease=self.lock_name, reason=str(error))

    def check(self) -> None:
        """Have it looked at once whether the lease is still ours."""
        self._check.set()

    async def fence(self, connection: AsyncConnection) -> None:
        """Let the transaction go on only while the lease is ours; raises `LeaseLostError`."""
        if not await grants.is_valid(connection, self.lock_name, self.epoch):
            raise LeaseLostError(f"{self.lock_name} is no longer ours; nothing was written")

    async def during(self, work: Awaitable[T]) -> T:
        """Do work for as long as the lease is ours: else it is cancelled and a `LeaseLostError` raised."""
        working = asyncio.ensure_future(work)
        losing = asyncio.ensure_future(self.lost.wait())
        try:
            await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise LeaseLostError(f"{self.lock_name} was lost; what was done under it was interrupted")
            return working.result()
        finally:
            await end_all(working, losing)

    async def _acquire(self, vacated: int | None) -> Grant | None:
        async with transaction(self._engine) as connection, not_held_up(connection):
            return await grants.acquire(connection, self._claim, vacated)

    async def _other(self) -> Holding | None:
        async with transaction(self._engine) as connection:
            return await grants.holding(connection, self.lock_name)

    async def _renew(self) -> bool:
        async with transaction(self._engine) as connection:
            return await grants.renew(connection, self.lock_name, self.epoch, self._claim.ttl)

    def _refusal(self, other: Holding) -> AlreadyRunningError:
        return AlreadyRunningError(
            f"{self.lock_name} is held by process {other.pid} on {other.hostname} "
            f"for another {max(0, other.remaining_seconds):.0f} s at least; {self._advice}"
        )

    def _loss(self, how: str) -> LeaseLostError:
        self.lost.set()
        return LeaseLostError(f"{self.lock_name} {how}")
