"""Named leases with a time to live and a fencing epoch: rows of `distributed_locks`, times by the database's clock.

An epoch grows with every change of holder. Whoever writes under a lease checks the epoch in the same transaction
(`fence`), so a holder that was frozen past its time and wakes up changes nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import transaction
from shared.errors import AlreadyRunningError, TransientError, UnreachableError
from shared.service import Service

log = structlog.get_logger(__name__)

_ACQUIRE = text("""
    INSERT INTO distributed_locks AS l (lock_name, instance_id, hostname, pid, pid_started, epoch,
                                        acquired_at, heartbeat_at, expires_at)
    VALUES (:name, :holder, :hostname, :pid, :pid_started, 1, clock_timestamp(), clock_timestamp(),
            clock_timestamp() + make_interval(secs => :ttl))
    ON CONFLICT (lock_name) DO UPDATE
       SET instance_id = excluded.instance_id, hostname = excluded.hostname, pid = excluded.pid,
           pid_started = excluded.pid_started, epoch = l.epoch + 1,
           acquired_at = clock_timestamp(), heartbeat_at = clock_timestamp(), expires_at = excluded.expires_at
     WHERE l.expires_at <= clock_timestamp()
        OR (CAST(:vacated AS bigint) IS NOT NULL AND l.epoch = :vacated)
    RETURNING epoch
""")
_HOLDER = text("""
    SELECT instance_id, hostname, pid, pid_started, epoch,
           extract(epoch FROM expires_at - clock_timestamp()) AS remaining_seconds
      FROM distributed_locks WHERE lock_name = :name AND expires_at > clock_timestamp()
""")
_RENEW = text("""
    UPDATE distributed_locks
       SET heartbeat_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => :ttl)
     WHERE lock_name = :name AND epoch = :epoch AND instance_id = :holder AND expires_at > clock_timestamp()
""")
_RELEASE = text("""
    UPDATE distributed_locks SET expires_at = clock_timestamp()
     WHERE lock_name = :name AND epoch = :epoch AND instance_id = :holder
""")
_FENCE = text("""
    SELECT 1 FROM distributed_locks
     WHERE lock_name = :name AND epoch = :epoch AND expires_at > clock_timestamp() FOR SHARE
""")


class LeaseLostError(TransientError):
    """The lease expired or went to somebody else; nothing was written."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease now."""

    holder: str
    hostname: str
    pid: int
    pid_started: float
    epoch: int
    remaining_seconds: float

    @property
    def is_dead_process_here(self) -> bool:
        """Whether it was a process of this machine that no longer exists (a reused pid counts as gone)."""
        return self.hostname == socket.gethostname() and process_started(self.pid) != self.pid_started


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


class Lease(Service):
    """Holds a name for as long as the service runs; `run` raises `LeaseLostError` when it was lost."""

    def __init__(self, engine: AsyncEngine, name: str, *, holder: str, ttl_seconds: float = 10.0) -> None:
        super().__init__()
        self.name = f"lease {name}"
        self.lock_name = name
        self.epoch = 0
        self._engine = engine
        self._holder = holder
        self._ttl = ttl_seconds

    async def open(self) -> None:
        """Acquire; raises `AlreadyRunningError` naming the live holder."""
        while (epoch := await self._acquire(vacated=None)) is None:
            async with transaction(self._engine) as connection:
                row = (await connection.execute(_HOLDER, {"name": self.lock_name})).one_or_none()
            if row is None:
                continue
            holder = Holder(*row)
            if not holder.is_dead_process_here:
                raise AlreadyRunningError(
                    f"{self.lock_name} is held by process {holder.pid} on {holder.hostname} "
                    f"for another {holder.remaining_seconds:.0f} s at least; stop it, or choose another INSTANCE_ID"
                )
            if (epoch := await self._acquire(vacated=holder.epoch)) is not None:
                break
        self.epoch = epoch

    async def run(self) -> None:
        """Renew three times per time to live; a database that is away is retried until the lease has expired."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(self._ttl / 3)
            try:
                async with transaction(self._engine) as connection:
                    result = await connection.execute(_RENEW, self._key | {"ttl": self._ttl})
            except UnreachableError:
                if time.monotonic() - renewed > self._ttl:
                    raise LeaseLostError(f"{self.lock_name} expired while the database was away") from None
                continue
            if result.rowcount != 1:
                raise LeaseLostError(f"{self.lock_name} was lost to another holder")
            renewed = time.monotonic()

    async def close(self) -> None:
        """Give the name free at once; an unreachable database lets it expire."""
        try:
            async with transaction(self._engine) as connection:
                await connection.execute(_RELEASE, self._key)
        except UnreachableError:
            log.warning("lease left to expire: the database is away", lease=self.lock_name)

    async def fence(self, connection: AsyncConnection) -> None:
        """Let the transaction go on only while the lease is ours; raises `LeaseLostError`."""
        if (await connection.execute(_FENCE, {"name": self.lock_name, "epoch": self.epoch})).scalar() is None:
            raise LeaseLostError(f"{self.lock_name} is no longer ours; nothing was written")

    @property
    def _key(self) -> dict[str, object]:
        return {"name": self.lock_name, "epoch": self.epoch, "holder": self._holder}

    async def _acquire(self, vacated: int | None) -> int | None:
        values = {
            "name": self.lock_name,
            "holder": self._holder,
            "hostname": socket.gethostname(),
            "pid": os.getpid(),
            "pid_started": process_started(os.getpid()),
            "ttl": self._ttl,
            "vacated": vacated,
        }
        async with transaction(self._engine) as connection:
            epoch: int | None = (await connection.execute(_ACQUIRE, values)).scalar()
        return epoch
