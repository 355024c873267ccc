"""Locks by name, for whoever shares a database: held for the length of a block, seen, and taken away.

Names in use: `instance` (who speaks for an instance), `orchestrator:leader` and `orchestrator:candidate:<process>`,
`schedule:<name>`, `aggregate`, `model:<kind>`, `registry:sync`, `config`, `identity:<name>`.
"""

from __future__ import annotations

import secrets
from types import TracebackType
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared import grants
from shared.errors import AlreadyRunningError, NotFoundError, UsageError
from shared.grants import Holding, PastGrant
from shared.lease import Lease, LeaseLostError, is_dead_process_here, not_held_up

ADVICE: Final = "wait for it, or take it away with `flocklore locks release`"
HISTORY_MAX: Final = 1_000


class Lock:
    """A lock for the length of an `async with` block, whose value is the held `Lease`."""

    def __init__(self, engine: AsyncEngine, name: str, *, ttl_seconds: float, wait_seconds: float) -> None:
        self._name = name
        self._lease = Lease(
            engine,
            name,
            holder=secrets.token_hex(16),
            ttl_seconds=ttl_seconds,
            wait_seconds=wait_seconds,
            advice=ADVICE,
        )

    async def __aenter__(self) -> Lease:
        """Acquire it; raises `UsageError` when this very lock is held, for it would wait for itself."""
        if self._lease.running:
            raise UsageError(f"the lock {self._name} is held here already; locks cannot be entered twice")
        await self._lease.start()
        return self._lease

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release it; a block that ended well after the lock was lost raises `LeaseLostError`."""
        await self._lease.stop()
        if error is None and self._lease.lost.is_set():
            raise LeaseLostError(f"the lock {self._name} was lost meanwhile; others may have worked at the same time")


def lock(engine: AsyncEngine, name: str, *, ttl_seconds: float = 30.0, wait_seconds: float = 0.0) -> Lock:
    """Give a lock to be held for an `async with` block, whose transactions begin with `held.fence(connection)`.

    Raises `AlreadyRunningError` naming the holder when it is still held after `wait_seconds`.
    """
    return Lock(engine, name, ttl_seconds=ttl_seconds, wait_seconds=wait_seconds)


async def list_locks(connection: AsyncConnection) -> list[Holding]:
    """Every lock held now, the longest held first."""
    return await grants.holdings(connection)


async def history(connection: AsyncConnection, name: str | None = None, limit: int = 100) -> list[PastGrant]:
    """Who held one lock, or any, newest first."""
    return await grants.history(connection, name, min(limit, HISTORY_MAX))


async def force_release(connection: AsyncConnection, name: str, *, even_if_alive: bool = True) -> Holding:
    """Take a lock away from its holder, whose fences refuse from then on; returns who it was.

    Raises `NotFoundError` when nobody holds it, `AlreadyRunningError` for one that is renewed, unless `even_if_alive`.
    """
    holder = await grants.holding(connection, name)
    if holder is None:
        raise NotFoundError(f"nobody holds the lock {name}; `flocklore locks list` shows those that are held")
    if not even_if_alive and not is_dead_process_here(holder):
        raise AlreadyRunningError(
            f"{name} is held by process {holder.pid} on {holder.hostname} for another {holder.remaining_seconds:.0f} s "
            "at least; stop that process, or take the lock from it with --force"
        )
    async with not_held_up(connection):
        if not await grants.end(connection, name, holder.epoch, ended="forced"):
            raise NotFoundError(f"the lock {name} was just released")
    return holder
