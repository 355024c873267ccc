"""The registry of the processes that share a database: rows of `workers`, times by the database's clock."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import AlreadyRunningError, ConfigurationError, NotFoundError
from shared.jobs import queue, signals
from shared.jobs.jsonb import document
from shared.jobs.rescue import NOTIFY, RETURN_JOBS, told
from shared.lease import process_started

BEATS_BEFORE_DEAD: Final = 3
SUSPECT_SECONDS: Final = 30.0
INACTIVE_SECONDS: Final = 60.0
OFFLINE_SECONDS: Final = 300.0
KEPT_SECONDS: Final = 3600.0
"""How long a worker that is offline is still shown."""

Wish = Literal["online", "paused", "draining"]

_HOLDER = text("""
    SELECT boot_id, hostname, pid, pid_started, status = 'offline' AS is_offline,
           extract(epoch FROM clock_timestamp() - last_heartbeat_at)::float AS silent_seconds
      FROM workers WHERE name = :name FOR UPDATE
""")
_REMEMBER = text("""
    INSERT INTO worker_history (name, boot_id, hostname, pid, role, started_at, ended)
    SELECT name, boot_id, hostname, pid, role, started_at, :ended FROM workers WHERE boot_id = :boot
    ON CONFLICT (boot_id) DO NOTHING
""")
_REGISTER = text("""
    INSERT INTO workers AS w (name, boot_id, hostname, pid, pid_started, status, role, region, version, queues,
                              capabilities, metadata)
    VALUES (:name, :boot, :hostname, :pid, :pid_started, 'online', :role, :region, :version,
            coalesce(CAST(:queues AS text[]), ARRAY(SELECT name FROM job_queues ORDER BY name)),
            CAST(:capabilities AS jsonb), CAST(:metadata AS jsonb))
    ON CONFLICT (name) DO UPDATE
       SET boot_id = excluded.boot_id, hostname = excluded.hostname, pid = excluded.pid,
           pid_started = excluded.pid_started, status = excluded.status, load = 0, role = excluded.role,
           region = excluded.region, version = excluded.version, queues = excluded.queues,
           capabilities = excluded.capabilities, metadata = excluded.metadata,
           started_at = clock_timestamp(), last_heartbeat_at = clock_timestamp(), deprecated_at = NULL
     WHERE w.boot_id = CAST(:replaced AS uuid)
    RETURNING boot_id
""")
_HAND_BACK = text("""
    WITH returned AS (
        UPDATE oban_jobs SET state = 'available', attempt = attempt - 1
         WHERE state = 'executing' AND attempted_by[2] = CAST(:boot AS text)
        RETURNING queue
    )
    SELECT array_agg(DISTINCT queue) FROM returned
""")
_DEREGISTER = text("""
    UPDATE workers SET status = 'offline', deprecated_at = clock_timestamp(), load = 0
     WHERE boot_id = CAST(:boot AS uuid) AND status <> 'offline'
""")
_LIST = text("""
    SELECT name, boot_id, hostname, pid, status AS recorded, load, role, region, version, queues, capabilities,
           metadata, started_at, last_heartbeat_at, deprecated_at,
           extract(epoch FROM clock_timestamp() - last_heartbeat_at)::float AS seconds_since_heartbeat
      FROM workers ORDER BY name
""")
_SET_STATUS = text("UPDATE workers SET status = :status WHERE name = :name AND status <> 'offline'")
_NAMES = text("SELECT name FROM workers WHERE status <> 'offline' ORDER BY name")
_PURGE = text("""
    DELETE FROM workers
     WHERE status = 'offline' AND deprecated_at < now() - make_interval(secs => :kept_seconds)
""")


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is called, how it is described, and when it is taken for dead.

    `queues`: the queues it serves and how many jobs of each it runs; None leaves both to `job_queues`, {} serves none.
    """

    name: str
    role: str = "hybrid"
    region: str = ""
    version: str = ""
    capabilities: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    beat_seconds: float = 5.0
    dead_seconds: float = 30.0
    finish_seconds: float = 25.0
    queues: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        if self.dead_seconds < BEATS_BEFORE_DEAD * self.beat_seconds:
            raise ConfigurationError(
                f"dead_seconds {self.dead_seconds} must be {BEATS_BEFORE_DEAD} times beat_seconds "
                f"{self.beat_seconds} at least: one late beat is no death"
            )


@dataclass(frozen=True)
class WorkerRow:
    """A worker as the registry knows it."""

    name: str
    boot_id: UUID
    hostname: str
    pid: int
    recorded: str
    load: int
    role: str
    region: str
    version: str
    queues: list[str]
    capabilities: Any
    metadata: Any
    started_at: datetime
    last_heartbeat_at: datetime
    deprecated_at: datetime | None
    seconds_since_heartbeat: float

    @property
    def status(self) -> str:
        """What it said of itself, as far as it still says anything: suspect, inactive or offline otherwise."""
        if self.recorded == "offline" or self.seconds_since_heartbeat >= OFFLINE_SECONDS:
            return "offline"
        if self.seconds_since_heartbeat >= INACTIVE_SECONDS:
            return "inactive"
        return "suspect" if self.seconds_since_heartbeat >= SUSPECT_SECONDS else self.recorded


async def register(connection: AsyncConnection, settings: WorkerSettings) -> str:
    """Enter a process under a new boot id, which is returned, and give back the jobs its predecessor had.

    Raises `AlreadyRunningError` when a process that is alive has the name.
    """
    predecessor = await _vacant(connection, settings)
    values = {
        "name": settings.name,
        "boot": uuid4(),
        "hostname": socket.gethostname(),
        "pid": os.getpid(),
        "pid_started": process_started(os.getpid()),
        "role": settings.role,
        "region": settings.region,
        "version": settings.version,
        "queues": None if settings.queues is None else sorted(settings.queues),
        "capabilities": document(settings.capabilities),
        "metadata": document(settings.metadata),
        "replaced": predecessor,
    }
    if predecessor is not None:
        await connection.execute(_REMEMBER, {"boot": predecessor, "ended": "replaced"})
    boot = (await connection.execute(_REGISTER, values)).scalar()
    if boot is None:
        raise AlreadyRunningError(f"another process has just become worker {settings.name}; choose another name")
    if predecessor is not None:
        await _return_jobs(connection)
    return str(boot)


async def deregister(connection: AsyncConnection, boot: str) -> None:
    """Give back whatever the process still has, without counting the attempt, and say that it stopped."""
    queues = (await connection.execute(_HAND_BACK, {"boot": boot})).scalar()
    if queues:
        await queue.notify(connection, signals.look(*queues))
    if (await connection.execute(_DEREGISTER, {"boot": boot})).rowcount:
        await connection.execute(_REMEMBER, {"boot": UUID(boot), "ended": "stopped"})


async def list_workers(connection: AsyncConnection) -> list[WorkerRow]:
    """All workers, by name."""
    return [WorkerRow(**row) for row in (await connection.execute(_LIST)).mappings()]


async def set_status(connection: AsyncConnection, name: str, status: Wish) -> None:
    """Ask a worker to pause (it claims nothing), to drain, or to go on; raises `NotFoundError` when none is alive."""
    if not (await connection.execute(_SET_STATUS, {"name": name, "status": status})).rowcount:
        names = list((await connection.execute(_NAMES)).scalars())
        raise NotFoundError(f"no worker called {name} is alive; there are: {', '.join(names) or 'none'}")
    await queue.notify(connection, signals.everything())


async def purge(connection: AsyncConnection, *, kept_seconds: float = KEPT_SECONDS) -> int:
    """Forget workers that have been offline for so long; their history stays. Returns how many."""
    return (await connection.execute(_PURGE, {"kept_seconds": kept_seconds})).rowcount


async def _vacant(connection: AsyncConnection, settings: WorkerSettings) -> UUID | None:
    """The boot id that may be replaced; None when the name is new."""
    holder = (await connection.execute(_HOLDER, {"name": settings.name})).one_or_none()
    if holder is None:
        return None
    is_dead_here = holder.hostname == socket.gethostname() and process_started(holder.pid) != holder.pid_started
    if not (holder.is_offline or is_dead_here or holder.silent_seconds > settings.dead_seconds):
        raise AlreadyRunningError(
            f"worker {settings.name} is process {holder.pid} on {holder.hostname} and answered "
            f"{holder.silent_seconds:.0f} s ago; stop it, or choose another name"
        )
    boot: UUID = holder.boot_id
    return boot


async def _return_jobs(connection: AsyncConnection) -> None:
    row = (await connection.exec_driver_sql(RETURN_JOBS)).mappings().one()
    if queues := row["queues"]:
        await connection.exec_driver_sql(NOTIFY, dict(told(queues)))
