"""Applying a dead letter once this release can read it."""

from __future__ import annotations

from dataclasses import asdict

from msgspec import Raw
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from centralcloud.ingest.arrivals import Arrival, Lineage, read
from centralcloud.ingest.commit import commit
from centralcloud.ingest.effects import Effects
from centralcloud.store import dead_letters, feedback, intake, results, watermarks
from centralcloud.store.dead_letters import DeadLetter
from shared.database import transaction
from shared.errors import ContractError, NotFoundError, UsageError


async def replay(engine: AsyncEngine, letter_id: int) -> DeadLetter:
    """Apply one letter, once; raises `ContractError` when it still cannot be read."""
    async with transaction(engine) as connection:
        letter = await dead_letters.find(connection, letter_id)
        if letter is None:
            raise NotFoundError(f"no dead letter {letter_id}; `flocklore centralcloud dead-letters list` shows them")
        if not await dead_letters.mark_replayed(connection, letter_id):
            raise UsageError(f"dead letter {letter_id} was replayed already")
        if letter.seq is None:
            await _apply_envelope(connection, letter)
        else:
            await _apply_event(connection, letter, letter.seq)
    return letter


async def _apply_envelope(connection: AsyncConnection, letter: DeadLetter) -> None:
    arrival = read(letter.subject, letter.body)
    if not isinstance(arrival, Arrival):
        raise _unreadable(letter, arrival.error)
    await commit(connection, [arrival], [])


async def _apply_event(connection: AsyncConnection, letter: DeadLetter, seq: int) -> None:
    """Apply an event whose sequence counts as received already: state by version, so its place does not matter."""
    lineage = Lineage(letter.tenant or "", letter.instance or "", letter.epoch or "")
    (mark,) = await watermarks.lock(connection, [lineage])
    effects = Effects()
    effects.add(Raw(letter.body), lineage, seq, void=mark.void)
    if effects.letters:
        raise _unreadable(letter, effects.letters[0].error)
    await intake.upsert_observations(connection, effects.observations)
    await results.upsert(connection, effects.results)
    await intake.upsert_statistics(connection, effects.statistics)
    await feedback.upsert(connection, effects.feedback)
    if effects.snapshots:
        end = asdict(lineage) | {"wm": mark.wm, "wm_hash": None, "forked": mark.forked, "snapshot_seq": seq}
        await watermarks.advance(connection, [end])
        await watermarks.complete_snapshots(connection, [lineage])


def _unreadable(letter: DeadLetter, error: str) -> ContractError:
    return ContractError(f"dead letter {letter.id} still cannot be read: {error}; upgrade Flocklore and try again")
