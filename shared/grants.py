"""Rows of `distributed_locks` and `lock_history`: who holds a lock, by the database's clock, and who did before.

A grant has an epoch from one sequence for all locks, so that none is ever used twice, also when its row was deleted.
Who writes under a grant locks its row FOR KEY SHARE in the same transaction (`FENCE`): renewing goes on beside that,
but nobody else is granted the lock before that transaction has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

FENCE = text("""
    SELECT 1 FROM distributed_locks
     WHERE lock_name = :name AND epoch = :epoch AND expires_at > clock_timestamp() FOR KEY SHARE
""")
_VACANT = text("""
    SELECT expires_at FROM distributed_locks
     WHERE lock_name = :name AND (expires_at <= clock_timestamp() OR epoch = CAST(:vacated AS bigint)) FOR UPDATE
""")
# One moment ends the old grant and begins the new: the statement starts when whoever held the row is gone.
_HISTORY = """
    WITH granted AS ({grant} RETURNING *), ended AS (
        UPDATE lock_history h SET ended_at = least(statement_timestamp(), CAST(:expired_at AS timestamptz)),
                                  ended = 'expired'
          FROM granted g WHERE h.lock_name = g.lock_name AND h.epoch < g.epoch AND h.ended_at IS NULL
    ), recorded AS (
        INSERT INTO lock_history (lock_name, epoch, instance_id, hostname, pid, acquired_at)
        SELECT lock_name, epoch, instance_id, hostname, pid, acquired_at FROM granted
    )
    SELECT epoch, CAST(:expired_at AS timestamptz) IS NOT NULL
                  OR coalesce((SELECT coalesce(ended, 'expired') <> 'released' FROM lock_history
                                WHERE lock_name = :name ORDER BY epoch DESC LIMIT 1), false) AS is_failover
      FROM granted
"""
_SUCCEED = text(
    _HISTORY.format(
        grant="""
        UPDATE distributed_locks
           SET instance_id = :holder, hostname = :hostname, pid = :pid, pid_started = :pid_started,
               epoch = nextval('lock_epochs'), acquired_at = statement_timestamp(),
               heartbeat_at = statement_timestamp(),
               expires_at = statement_timestamp() + make_interval(secs => :ttl)
         WHERE lock_name = :name"""
    )
)
_BEGIN = text(
    _HISTORY.format(
        grant="""
        INSERT INTO distributed_locks (lock_name, instance_id, hostname, pid, pid_started, epoch,
                                       acquired_at, heartbeat_at, expires_at)
        SELECT :name, :holder, :hostname, :pid, :pid_started, nextval('lock_epochs'), statement_timestamp(),
               statement_timestamp(), statement_timestamp() + make_interval(secs => :ttl)
         WHERE NOT EXISTS (SELECT FROM distributed_locks WHERE lock_name = :name)
        ON CONFLICT (lock_name) DO NOTHING"""
    )
)
_RENEW = text("""
    UPDATE distributed_locks
       SET heartbeat_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => :ttl)
     WHERE lock_name = :name AND epoch = :epoch
""")
_END = text("""
    WITH gone AS (DELETE FROM distributed_locks WHERE lock_name = :name AND epoch = :epoch RETURNING lock_name, epoch)
    UPDATE lock_history h SET ended_at = clock_timestamp(), ended = :ended
      FROM gone WHERE (h.lock_name, h.epoch) = (gone.lock_name, gone.epoch) AND h.ended_at IS NULL
""")
_LIVE = """
    SELECT lock_name, instance_id, hostname, pid, pid_started, epoch, acquired_at, heartbeat_at, expires_at,
           CAST(extract(epoch FROM expires_at - clock_timestamp()) AS double precision) AS remaining_seconds
      FROM distributed_locks
"""
_HOLDER = text(f"{_LIVE} WHERE lock_name = :name AND (expires_at > clock_timestamp() OR :also_expired)")
_ALL = text(f"{_LIVE} WHERE expires_at > clock_timestamp() AND starts_with(lock_name, :prefix) ORDER BY acquired_at")
_PAST = text("""
    SELECT lock_name, epoch, instance_id, hostname, pid, acquired_at, ended_at, ended FROM lock_history
     WHERE lock_name = coalesce(:name, lock_name)
       AND (acquired_at, epoch) < (coalesce(CAST(:at AS timestamptz), 'infinity'), CAST(:epoch AS bigint))
     ORDER BY acquired_at DESC, epoch DESC LIMIT :limit
""")
_FAILOVERS = text("""
    SELECT count(*) FROM lock_history h
     WHERE lock_name = :name AND ended <> 'released'
       AND EXISTS (SELECT FROM lock_history later WHERE later.lock_name = h.lock_name AND later.epoch > h.epoch)
""")
_OVERLAPS = text("""
    SELECT DISTINCT lock_name FROM (
        SELECT lock_name, acquired_at,
               max(coalesce(ended_at, 'infinity')) OVER (PARTITION BY lock_name ORDER BY epoch
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS held_until
          FROM lock_history) AS grants
     WHERE acquired_at < held_until AND acquired_at > clock_timestamp() - make_interval(secs => :within) ORDER BY 1
""")
_BACKEND = text("SELECT pg_backend_pid()")
_END_IDLE_BLOCKERS = text("""
    SELECT count(*) FILTER (WHERE pg_terminate_backend(s.pid))
      FROM unnest(pg_blocking_pids(:backend)) AS blocker JOIN pg_stat_activity s ON s.pid = blocker
     WHERE s.state LIKE 'idle in transaction%'
""")
_EXPIRE = text("""
    WITH gone AS (
        DELETE FROM distributed_locks WHERE expires_at < clock_timestamp() - make_interval(secs => :expired)
        RETURNING lock_name, epoch, expires_at
    )
    UPDATE lock_history h SET ended_at = gone.expires_at, ended = 'expired'
      FROM gone WHERE (h.lock_name, h.epoch) = (gone.lock_name, gone.epoch) AND h.ended_at IS NULL
""")
_FORGET = text("""
    DELETE FROM lock_history WHERE ended_at < clock_timestamp() - make_interval(secs => :kept)
       AND starts_with(lock_name, :prefix)
""")


@dataclass(frozen=True)
class Claim:
    """Who wants a lock, and for how long at a time."""

    name: str
    holder: str
    hostname: str
    pid: int
    pid_started: float
    ttl: float


class Grant(Struct, frozen=True):
    """A lock was given under this epoch; `is_failover` when the one before did not release it."""

    epoch: int
    is_failover: bool


class Holding(Struct, frozen=True):
    """A lock and who holds it now."""

    lock_name: str
    holder: str
    hostname: str
    pid: int
    pid_started: float
    epoch: int
    acquired_at: datetime
    heartbeat_at: datetime
    expires_at: datetime
    remaining_seconds: float


class PastGrant(Struct, frozen=True):
    """One grant of the history; `ended` is None, released, expired or forced."""

    lock_name: str
    epoch: int
    holder: str
    hostname: str
    pid: int
    acquired_at: datetime
    ended_at: datetime | None
    ended: str | None


async def acquire(connection: AsyncConnection, claim: Claim, vacated: int | None = None) -> Grant | None:
    """Take a lock that is free, expired or was granted under the epoch `vacated`; None when somebody holds it.

    Waits for transactions that still write under a grant that has expired.
    """
    values = vars(claim)
    expired = (await connection.execute(_VACANT, {"name": claim.name, "vacated": vacated})).one_or_none()
    statement = _BEGIN if expired is None else _SUCCEED
    moment = None if expired is None else expired.expires_at
    row = (await connection.execute(statement, values | {"expired_at": moment})).one_or_none()
    return None if row is None else Grant(*row)


async def renew(connection: AsyncConnection, name: str, epoch: int, ttl_seconds: float) -> bool:
    """Prolong a grant; also one that has expired, as long as nobody else was given the lock."""
    return (await connection.execute(_RENEW, {"name": name, "epoch": epoch, "ttl": ttl_seconds})).rowcount == 1


async def end(connection: AsyncConnection, name: str, epoch: int, *, ended: str) -> bool:
    """End a grant, `released` or `forced`; False when it had ended already."""
    return (await connection.execute(_END, {"name": name, "epoch": epoch, "ended": ended})).rowcount == 1


async def is_valid(connection: AsyncConnection, name: str, epoch: int) -> bool:
    """Whether a grant stands; then it does until the transaction ends."""
    return (await connection.execute(FENCE, {"name": name, "epoch": epoch})).scalar() is not None


async def holding(connection: AsyncConnection, name: str, *, also_expired: bool = False) -> Holding | None:
    """Who holds a lock; with `also_expired` the last holder when nobody does and that one did not release it."""
    row = (await connection.execute(_HOLDER, {"name": name, "also_expired": also_expired})).one_or_none()
    return None if row is None else Holding(*row)


async def holdings(connection: AsyncConnection, prefix: str = "") -> list[Holding]:
    """Every lock held now whose name begins so, the longest held first."""
    return [Holding(*row) for row in await connection.execute(_ALL, {"prefix": prefix})]


async def history(
    connection: AsyncConnection, name: str | None, limit: int, *, before: tuple[datetime, int] | None = None
) -> list[PastGrant]:
    """The last grants of one lock, or of all, newest first; those before one with (acquired_at, epoch)."""
    at, epoch = before or (None, 0)
    values = {"name": name, "limit": limit, "at": at, "epoch": epoch}
    return [PastGrant(*row) for row in await connection.execute(_PAST, values)]


async def failovers(connection: AsyncConnection, name: str) -> int:
    """How often a lock went on from a holder that did not release it, as far as the history goes back."""
    return int((await connection.execute(_FAILOVERS, {"name": name})).scalar_one())


async def overlapping(connection: AsyncConnection, within_seconds: float) -> list[str]:
    """Locks that two held at one time, by the history: there must never be one."""
    return list((await connection.execute(_OVERLAPS, {"within": within_seconds})).scalars())


async def backend(connection: AsyncConnection) -> int:
    """The server's process behind a connection."""
    return int((await connection.execute(_BACKEND)).scalar_one())


async def end_idle_blockers(connection: AsyncConnection, backend: int) -> int:
    """End the sessions a backend waits for that do nothing inside a transaction; return how many."""
    return int((await connection.execute(_END_IDLE_BLOCKERS, {"backend": backend})).scalar_one())


async def drop_expired(connection: AsyncConnection, expired_seconds: float) -> int:
    """Delete locks that expired so long ago and nobody wanted since; return how many."""
    return int((await connection.execute(_EXPIRE, {"expired": expired_seconds})).rowcount)


async def forget(connection: AsyncConnection, prefix: str, kept_seconds: float) -> int:
    """Delete the history, older than that, of locks whose name begins so; return how many grants."""
    return int((await connection.execute(_FORGET, {"prefix": prefix, "kept": kept_seconds})).rowcount)
