"""Rows of `schedule_fires`, `schedule_runs` and `schedules_disabled`: what fired when, by whom, and how it ended.

Whoever inserts a fire, or takes one that was asked for, runs the schedule. A fire with nobody in `fired_by` was asked
for and waits.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

CHANNEL: Final = "flocklore_schedules"
LOCKS: Final = "schedule:"
"""What the lock of a running schedule is called before its name."""

_NOW = text("SELECT clock_timestamp()")
_DATABASE = text("SELECT current_database() || ' ' || system_identifier FROM pg_control_system()")
_STANDINGS = text("""
    SELECT n.name, clock_timestamp() AS now, r.last_started, r.last_finished,
           (SELECT max(f.fire_at) FROM schedule_fires f WHERE f.name = n.name AND f.fired_by <> '') AS last_fire,
           EXISTS (SELECT FROM schedule_fires f WHERE f.name = n.name AND f.fired_by = '') AS is_wanted,
           EXISTS (SELECT FROM schedules_disabled d WHERE d.name = n.name) AS is_disabled,
           EXISTS (SELECT FROM distributed_locks l
                    WHERE l.lock_name = :locks || n.name AND l.expires_at > clock_timestamp()) AS is_running
      FROM unnest(CAST(:names AS text[])) AS n(name) LEFT JOIN schedule_runs r ON r.name = n.name
""")
_ASK = text(
    "INSERT INTO schedule_fires (name, fire_at, fired_by) VALUES (:name, clock_timestamp(), '') RETURNING fire_at"
)
_TELL = text("SELECT pg_notify(:channel, '')")
_FIRE = text("""
    INSERT INTO schedule_fires (name, fire_at, fired_by) VALUES (:name, coalesce(:fire_at, clock_timestamp()), :by)
    ON CONFLICT DO NOTHING
""")
_TAKE = text("""
    UPDATE schedule_fires SET fired_by = :by, fired_at = clock_timestamp() WHERE name = :name AND fired_by = ''
""")
_AGAIN = text("""
    UPDATE schedule_fires SET fired_by = :by
     WHERE name = :name AND fire_at = (SELECT max(fire_at) FROM schedule_fires WHERE name = :name AND fired_by <> '')
""")
_INTERRUPTED = text("""
    SELECT last_finished IS NULL OR last_finished < last_started FROM schedule_runs WHERE name = :name
""")
_DEATHS = text("""
    SELECT count(*) FROM lock_history
     WHERE lock_name = :locks || :name AND ended = 'expired'
       AND acquired_at >= (SELECT max(fired_at) FROM schedule_fires WHERE name = :name AND fired_by <> '')
""")
_STARTED = text("""
    INSERT INTO schedule_runs AS r (name, last_started, runs) VALUES (:name, clock_timestamp(), 1)
    ON CONFLICT (name) DO UPDATE SET last_started = excluded.last_started, runs = r.runs + 1
""")
_FINISHED = text("""
    UPDATE schedule_runs SET last_finished = clock_timestamp(), last_error = :error, next_run = :next_run
     WHERE name = :name
""")
_OUTCOME = text("""
    SELECT r.last_error FROM schedule_fires f JOIN schedule_runs r USING (name)
     WHERE (f.name, f.fire_at) = (:name, :fire_at) AND f.fired_by <> '' AND r.last_finished >= f.fired_at
""")
_SHOW = text("""
    SELECT name, CASE WHEN r.last_finished >= r.last_started THEN r.next_run END AS next_run, r.last_started,
           CAST(extract(epoch FROM r.last_finished - r.last_started) AS double precision) AS took_seconds,
           r.last_error, coalesce(r.runs, 0) AS runs, d.name IS NULL AS enabled,
           (SELECT f.fired_by FROM schedule_fires f WHERE f.name = names.name AND f.fired_by <> ''
             ORDER BY f.fired_at DESC LIMIT 1) AS fired_by,
           EXISTS (SELECT FROM schedule_fires f WHERE f.name = names.name AND f.fired_by = '') AS is_wanted
      FROM (SELECT name FROM schedule_runs UNION SELECT name FROM schedules_disabled
            UNION SELECT name FROM schedule_fires) AS names
      LEFT JOIN schedule_runs r USING (name) LEFT JOIN schedules_disabled d USING (name) ORDER BY name
""")
_DISABLE = text("INSERT INTO schedules_disabled (name) VALUES (:name) ON CONFLICT DO NOTHING")
_ENABLE = text("DELETE FROM schedules_disabled WHERE name = :name")
_PRUNE = text("""
    DELETE FROM schedule_fires f
     WHERE f.fired_at < clock_timestamp() - make_interval(secs => :kept) AND f.fired_by <> ''
       AND EXISTS (SELECT FROM schedule_fires later
                    WHERE later.name = f.name AND later.fire_at > f.fire_at AND later.fired_by <> '')
""")


class Standing(Struct, frozen=True):
    """What is known of one schedule at one moment."""

    name: str
    now: datetime
    last_started: datetime | None
    last_finished: datetime | None
    last_fire: datetime | None
    """Nominal time of the last fire somebody took."""
    is_wanted: bool
    """Whether a run was asked for that nobody has taken yet."""
    is_disabled: bool
    is_running: bool
    """Whether somebody alive runs it."""

    @property
    def is_interrupted(self) -> bool:
        """Whether the last run began and did not end."""
        return self.last_started is not None and (self.last_finished is None or self.last_finished < self.last_started)


class Shown(Struct, frozen=True):
    """A schedule as its database knows it; `took_seconds` is negative or None while it runs."""

    name: str
    next_run: datetime | None
    last_run: datetime | None
    took_seconds: float | None
    last_error: str | None
    runs: int
    enabled: bool
    fired_by: str | None
    is_wanted: bool


class Outcome(Struct, frozen=True):
    """How a run ended."""

    error: str | None


async def now(connection: AsyncConnection) -> datetime:
    """The time by the database's clock."""
    moment: datetime = (await connection.execute(_NOW)).scalar_one()
    return moment


async def database(connection: AsyncConnection) -> str:
    """What tells this database from all others."""
    return str((await connection.execute(_DATABASE)).scalar_one())


async def standings(connection: AsyncConnection, names: Collection[str]) -> list[Standing]:
    """Read how schedules stand."""
    rows = await connection.execute(_STANDINGS, {"names": list(names), "locks": LOCKS})
    return [Standing(*row) for row in rows]


async def ask(connection: AsyncConnection, name: str) -> datetime:
    """Ask for a run, and tell who listens; returns the time by which the fire is known."""
    fire_at: datetime = (await connection.execute(_ASK, {"name": name})).scalar_one()
    await connection.execute(_TELL, {"channel": CHANNEL})
    return fire_at


async def outcome(connection: AsyncConnection, name: str, fire_at: datetime) -> Outcome | None:
    """How a run that was asked for ended; None while it has not."""
    row = (await connection.execute(_OUTCOME, {"name": name, "fire_at": fire_at})).one_or_none()
    return None if row is None else Outcome(*row)


async def fire(connection: AsyncConnection, name: str, fire_at: datetime | None, by: str) -> bool:
    """Become the one who runs the fire of a nominal time, or of now; False when another has it."""
    return (await connection.execute(_FIRE, {"name": name, "fire_at": fire_at, "by": by})).rowcount == 1


async def take(connection: AsyncConnection, name: str, by: str) -> bool:
    """Become the one who runs what was asked for; False when nothing waits."""
    return (await connection.execute(_TAKE, {"name": name, "by": by})).rowcount > 0


async def retake(connection: AsyncConnection, name: str, by: str) -> bool:
    """Become the one who runs the interrupted run again; False when it has ended."""
    if not (await connection.execute(_INTERRUPTED, {"name": name})).scalar():
        return False
    await connection.execute(_AGAIN, {"name": name, "by": by})
    return True


async def deaths(connection: AsyncConnection, name: str) -> int:
    """How many processes died while they ran the last fire."""
    return int((await connection.execute(_DEATHS, {"name": name, "locks": LOCKS})).scalar_one())


async def start(connection: AsyncConnection, name: str) -> None:
    """Record that a run begins."""
    await connection.execute(_STARTED, {"name": name})


async def finish(connection: AsyncConnection, name: str, error: str | None, next_run: datetime | None) -> None:
    """Record how the run ended, and when the next is due."""
    await connection.execute(_FINISHED, {"name": name, "error": error, "next_run": next_run})


async def shown(connection: AsyncConnection) -> list[Shown]:
    """Every schedule the database has heard of, by name."""
    return [Shown(*row) for row in await connection.execute(_SHOW)]


async def disable(connection: AsyncConnection, name: str) -> bool:
    """Stop a schedule from firing by itself; False when it is stopped already."""
    return (await connection.execute(_DISABLE, {"name": name})).rowcount == 1


async def enable(connection: AsyncConnection, name: str) -> bool:
    """Let a schedule fire again; False when nobody had stopped it."""
    return (await connection.execute(_ENABLE, {"name": name})).rowcount == 1


async def prune(connection: AsyncConnection, kept_seconds: float) -> int:
    """Delete fires older than that, but the last of each schedule; return how many."""
    return int((await connection.execute(_PRUNE, {"kept": kept_seconds})).rowcount)
