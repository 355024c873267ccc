"""Who leads the hubs on one database, and how somebody else comes to: for commands now, for any other surface too.

Everything goes through the database, so that it does not matter on which machine the one who asks is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared import grants
from shared.database import transaction
from shared.errors import AlreadyRunningError, NotFoundError, NotRunningError, TransientError, UsageError
from shared.grants import Holding
from shared.leader import CHANNEL, Word, candidates_prefix
from shared.lease import is_dead_process_here, not_held_up
from shared.metrics import Metrics
from shared.notices import say
from shared.schedule import DAY

log = structlog.get_logger(__name__)

LEADER: Final = "orchestrator:leader"
HEEDED_SECONDS_MAX: Final = 15.0
"""How long a living candidate takes to do what it is asked."""

_ASK_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.1
_PREFERRED: Final = ("primary", "any", "standby")


class Leader(Struct, frozen=True):
    """The hub that leads, since when, and how long its lease lasts without being renewed."""

    candidate: str
    hostname: str
    pid: int
    epoch: int
    since: datetime
    remaining_seconds: float


class Candidate(Struct, frozen=True):
    """A hub that runs; `candidacy` is primary, standby or any."""

    name: str
    candidacy: str
    hostname: str
    pid: int
    since: datetime
    leads: bool


class Standing(Struct, frozen=True):
    """Who leads, who could, and how often the lead went on from a hub that had died."""

    leader: Leader | None
    candidates: list[Candidate]
    failovers: int
    overlapping: list[str]
    """Locks that two held at one time in the last day; there must never be one."""


async def read_standing(engine: AsyncEngine) -> Standing:
    """Read who leads, in a transaction of its own."""
    async with transaction(engine) as connection:
        return await standing(connection)


async def present(connection: AsyncConnection) -> tuple[Leader | None, list[Candidate]]:
    """Read who leads, and who could."""
    leader = await grants.holding(connection, LEADER)
    candidates = [_candidate(one, leader) for one in await grants.holdings(connection, candidates_prefix(LEADER))]
    return _leader(leader, candidates), candidates


async def standing(connection: AsyncConnection) -> Standing:
    """Read who leads, and how it came to that."""
    leader, candidates = await present(connection)
    return Standing(
        leader,
        candidates,
        failovers=await grants.failovers(connection, LEADER),
        overlapping=await grants.overlapping(connection, DAY),
    )


async def step_down(engine: AsyncEngine) -> Standing:
    """Have the leader let others lead for half a minute; returns who leads then, which may be nobody.

    Raises `NotRunningError` when nobody leads, `TransientError` when the leader does not heed it.
    """
    before = (await read_standing(engine)).leader
    if before is None:
        raise NotRunningError("no hub leads; `flocklore centralcloud status` shows the candidates")
    word = Word(step_down=before.epoch)
    after = await _heeded(engine, word, lambda now: now.leader is None or now.leader.epoch != before.epoch)
    if after is None:
        raise TransientError(
            f"{before.candidate} did not step down within {HEEDED_SECONDS_MAX:.0f} s; it may be frozen: "
            "take the lead from it with `flocklore centralcloud promote --force`"
        )
    return after


async def promote(engine: AsyncEngine, name: str | None = None, *, force: bool = False) -> Standing:
    """Have a candidate lead next: the one called so, else a primary before a standby.

    Raises `AlreadyRunningError` while a leader is alive, unless it is to lose the lead by `force`; `NotFoundError` for
    an unknown candidate, `NotRunningError` when there is none, `TransientError` when it does not heed the word.
    """
    before = await read_standing(engine)
    chosen = _choose(before, name)
    if chosen.leads:
        return before
    await _depose(engine, force=force)
    after = await _heeded(engine, Word(promote=chosen.name), lambda now: _leads(now, chosen.name))
    if after is None:
        raise TransientError(f"{chosen.name} does not lead after {HEEDED_SECONDS_MAX:.0f} s; see its log, or try again")
    return after


async def look_for_two_leaders(engine: AsyncEngine, metrics: Metrics) -> None:
    """See by the history that no lock was held by two at one time, and complain loudly otherwise."""
    async with transaction(engine) as connection:
        overlapping = await grants.overlapping(connection, DAY)
    metrics.lock_overlaps.set(len(overlapping))
    for name in overlapping:
        log.error("two held one lock at the same time", lock=name, next=f"see `flocklore locks history {name}`")


async def _depose(engine: AsyncEngine, *, force: bool) -> None:
    """End the grant of whoever leads, dead or by force; its writes are refused from then on."""
    async with transaction(engine) as connection:
        leader = await grants.holding(connection, LEADER)
        if leader is None:
            return
        if not force and not is_dead_process_here(leader):
            raise AlreadyRunningError(
                f"process {leader.pid} on {leader.hostname} leads and is alive (epoch {leader.epoch}); have it step "
                "down with `flocklore centralcloud step-down`, or take the lead from it with --force"
            )
        async with not_held_up(connection):
            await grants.end(connection, LEADER, leader.epoch, ended="forced")


async def _heeded(engine: AsyncEngine, word: Word, is_done: Callable[[Standing], bool]) -> Standing | None:
    """Say it until it is done; None when it is not done in time."""
    deadline = time.monotonic() + HEEDED_SECONDS_MAX
    while time.monotonic() < deadline:
        await say(engine, CHANNEL, msgspec.json.encode(word).decode())
        if found := await _within(_ASK_SECONDS, lambda: read_standing(engine), is_done):
            return found
    return None


async def _within(
    seconds: float, read: Callable[[], Awaitable[Standing]], is_done: Callable[[Standing], bool]
) -> Standing | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_done(found := await read()):
            return found
        await asyncio.sleep(_LOOK_SECONDS)
    return None


def _choose(standing: Standing, name: str | None) -> Candidate:
    names = ", ".join(one.name for one in standing.candidates) or "none"
    if name is not None:
        for one in standing.candidates:
            if one.name == name:
                return one
        raise NotFoundError(f"no hub called {name} runs; there are: {names}")
    if not standing.candidates:
        raise NotRunningError("no hub runs on this database; start one with `flocklore centralcloud run`")
    others = [one for one in standing.candidates if not one.leads]
    if not others:
        raise UsageError(f"{names} leads, and no other hub runs that could; start one first")
    return min(others, key=lambda one: _PREFERRED.index(one.candidacy))


def _leads(standing: Standing, name: str) -> bool:
    return standing.leader is not None and standing.leader.candidate == name


def _candidate(present: Holding, leader: Holding | None) -> Candidate:
    """Both leases of a hub have the same holder: its candidacy and a number of its own."""
    return Candidate(
        name=present.lock_name.removeprefix(candidates_prefix(LEADER)),
        candidacy=present.holder.partition(":")[0],
        hostname=present.hostname,
        pid=present.pid,
        since=present.acquired_at,
        leads=leader is not None and leader.holder == present.holder,
    )


def _leader(leader: Holding | None, candidates: list[Candidate]) -> Leader | None:
    if leader is None:
        return None
    names = [one.name for one in candidates if one.leads]
    return Leader(
        candidate=names[0] if names else "",
        hostname=leader.hostname,
        pid=leader.pid,
        epoch=leader.epoch,
        since=leader.acquired_at,
        remaining_seconds=round(leader.remaining_seconds, 1),
    )
