"""Results up: what changed since it was last counted is added to the sums, and these are said, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from instance.learning.results.rollup import Outcome, Places, roll_up
from instance.learning.results.words import Key, key_of
from instance.store import outbox, result_states, result_words, results
from instance.store.outbox import event_identity
from instance.store.result_states import State
from instance.store.results import Uncounted
from schemas.codec import encode
from schemas.events import ResultsLearned
from schemas.results import ResultSums
from shared.database import transaction

log = structlog.get_logger(__name__)

ROUND_MAX: Final = 5000
"""Results counted in one transaction."""


async def say_results(engine: AsyncEngine, on_said: Callable[[], None] | None = None) -> int:
    """Count what is uncounted and say the sums that changed; returns how many. A tick late or early loses nothing."""
    said, counted = 0, ROUND_MAX
    while counted == ROUND_MAX:
        async with transaction(engine) as connection:
            counted, states = await count(connection)
            sharing = (await outbox.get(connection)).share_since is not None
            if sharing:
                await say_states(connection, states)
        said += len(states)
        if states and sharing and on_said is not None:
            on_said()
    return said


async def count(connection: AsyncConnection, limit: int = ROUND_MAX) -> tuple[int, list[State]]:
    """Add uncounted results to the sums; returns how many were taken and the states that changed."""
    await result_states.lock(connection)
    taken = await results.lock_uncounted(connection, limit)
    if not taken:
        return 0, []
    known = await result_states.of_days(connection, {result.day for result in taken})
    keys = _places(known, taken)
    sums = {_key(state): state.sums for state in known}
    changed = roll_up(sums, [(keys[result.id], _outcome(result)) for result in taken])
    written = await result_states.put(connection, [_state(key, new) for key, new in changed.items()])
    ids = {_key(state): state.id for state in written}
    await results.mark_counted(connection, {result.id: ids[keys[result.id]] for result in taken})
    return len(taken), written


async def say_results_again(connection: AsyncConnection) -> int:
    """Say every state there is, for a hub that lost it or an epoch that begins; returns how many."""
    await result_states.lock(connection)
    states = await result_states.next_versions(connection)
    await say_states(connection, states)
    return len(states)


async def prune_results(connection: AsyncConnection) -> None:
    """Forget what was recorded or said of results long ago; the sums stay."""
    if gone := await results.prune(connection):
        log.info("results forgotten; their sums stay", results=gone, older_than_days=results.RETENTION_DAYS)
    if gone := await result_words.prune(connection):
        log.info("labels without a result forgotten", labels=gone, older_than_days=result_words.RETENTION_DAYS)


async def say_states(connection: AsyncConnection, states: Sequence[State]) -> None:
    """Say sums, each in the version it has."""
    events = [
        ResultsLearned(
            **event_identity(),
            day=state.day,
            job_type=state.job_type,
            model=state.model,
            context=dict(state.context),
            version=state.version,
            sums=state.sums,
        )
        for state in states
    ]
    await outbox.append(connection, [(event.topic, encode(event)) for event in events])


def _places(known: Sequence[State], taken: Sequence[Uncounted]) -> dict[int, Key]:
    """Where each result, by its id, is summed up: where it was before, also if today it would go elsewhere."""
    counted = {state.id: _key(state) for state in known}
    places = Places(counted.values())
    return {
        result.id: counted[result.state_id]
        if result.state_id is not None
        else places.of(key_of(result.day, result.job_type, result.model, result.context))
        for result in taken
    }


def _outcome(result: Uncounted) -> Outcome:
    return Outcome(result.counted, result.status, result.cost_microcents, result.tokens, result.duration_ms)


def _key(state: State) -> Key:
    return Key(state.day, state.job_type, state.model, tuple(sorted(state.context.items())))


def _state(key: Key, sums: ResultSums) -> State:
    return State(day=key.day, job_type=key.job_type, model=key.model, context=dict(key.context), sums=sums)
