"""`region`: of a delegate, how far it has read its region and told it, and what its hub last said of leaving."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True)
class Feed:
    """How far the region was read; `lost` while its hub says again what it knows."""

    version: int
    lost: bool
    whole_due: bool
    """Whether it is time to read everything, so that what is no more is taken back."""
    results_since: datetime | None


@dataclass(frozen=True)
class Downward:
    """What the hub above has said, and how far the region was told of it."""

    head: int
    """Version of its last insight; 0: there is none."""
    restarts: int
    complete: bool
    """Whether that is all it knows: otherwise more is on its way."""
    told_restarts: int


@dataclass(frozen=True)
class Account:
    """What a delegate has brought up and down so far, for people; `heard_seconds` None: its hub never answered."""

    version: int
    lost: bool
    patterns: int
    results: int
    told: int
    leaves: bool
    reason: str
    heard_seconds: float | None


_FEED = text("""
    SELECT version, lost_at IS NOT NULL,
           CASE WHEN lost_at IS NULL
                THEN coalesce(whole_at < clock_timestamp() - make_interval(secs => :whole_seconds), true)
                ELSE lost_at < clock_timestamp() - make_interval(secs => :grace_seconds) END,
           results_since
      FROM region
""")
_VERSION = text("SELECT version FROM region")
_ADVANCE = text("UPDATE region SET version = :upto")
_START_OVER = text("UPDATE region SET version = 0, lost_at = coalesce(lost_at, clock_timestamp())")
_WHOLE = text("UPDATE region SET lost_at = NULL, whole_at = clock_timestamp()")
_RESULTS_SINCE = text("UPDATE region SET results_since = :since")
_DOWNWARD = text("""
    SELECT (SELECT coalesce(max(version), 0) FROM insights), d.restarts, d.complete, r.told_restarts
      FROM downlink d, region r
""")
_TOLD = text("UPDATE region SET told = :version, told_restarts = :restarts")
_HEARD = text("UPDATE region SET leaves = :leaves, reason = :reason, heard_at = clock_timestamp()")
_HELD = text(
    "UPDATE region SET leaves = false, reason = :reason WHERE (leaves, reason) IS DISTINCT FROM (false, :reason)"
)
_NOTE = text("UPDATE region SET reason = :reason")
_ACCOUNT = text("""
    SELECT version, lost_at IS NOT NULL,
           (SELECT count(*) FROM observations WHERE NOT forgotten),
           (SELECT count(*) FROM result_states WHERE (sums->>'results')::bigint > 0),
           told, leaves, reason, extract(epoch FROM clock_timestamp() - heard_at)::float
      FROM region
""")


async def feed(connection: AsyncConnection, *, whole_seconds: float, grace_seconds: float) -> Feed:
    """Read how far we are.

    Everything is read every `whole_seconds`; `grace_seconds` after the hub began anew, so that the region has had the
    time to tell it again.
    """
    values = {"whole_seconds": whole_seconds, "grace_seconds": grace_seconds}
    return Feed(*(await connection.execute(_FEED, values)).one())


async def version(connection: AsyncConnection) -> int:
    """The version up to which every insight of the region was taken in."""
    known: int = (await connection.execute(_VERSION)).scalar_one()
    return known


async def advance(connection: AsyncConnection, upto: int) -> None:
    """Note that every insight up to a version is taken in with the caller's transaction."""
    await connection.execute(_ADVANCE, {"upto": upto})


async def start_over(connection: AsyncConnection) -> None:
    """The region's hub counts from the beginning again: read it from there, and keep what we have for now."""
    await connection.execute(_START_OVER)


async def note_whole(connection: AsyncConnection) -> None:
    """Everything was read, and what is no more taken back."""
    await connection.execute(_WHOLE)


async def set_results_since(connection: AsyncConnection, since: datetime) -> None:
    """Results that changed before were taken in."""
    await connection.execute(_RESULTS_SINCE, {"since": since})


async def downward(connection: AsyncConnection) -> Downward:
    """Read how far the hub above and the region are."""
    return Downward(*(await connection.execute(_DOWNWARD)).one())


async def set_told(connection: AsyncConnection, version: int, restarts: int) -> None:
    """The region has heard everything up to a version of the hub above, which had begun anew so often by then."""
    await connection.execute(_TOLD, {"version": version, "restarts": restarts})


async def note_heard(connection: AsyncConnection, *, leaves: bool, reason: str) -> None:
    """The region's hub has said whether anything leaves, and why not."""
    await connection.execute(_HEARD, {"leaves": leaves, "reason": reason})


async def note_held(connection: AsyncConnection, reason: str) -> None:
    """Nothing leaves, though the hub has said nothing new."""
    await connection.execute(_HELD, {"reason": reason})


async def note_trouble(connection: AsyncConnection, reason: str) -> None:
    """Something could not be brought up or down."""
    await connection.execute(_NOTE, {"reason": reason})


async def account(connection: AsyncConnection) -> Account:
    """Read what was brought up and down."""
    row: Any = (await connection.execute(_ACCOUNT)).one()
    return Account(*row)
