"""Results up: the sums of the region become the delegate's own, and are said as those are."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from instance.learning.results.words import Key
from instance.region.hub import RegionalHub
from instance.store import region, result_states
from instance.store.result_states import State
from instance.sync.results import say_states
from schemas.region import RegionalResults, ResultsPage
from schemas.results import ResultSums
from shared.database import transaction
from shared.lease import Lease

NOTHING: Final = ResultSums(results=0)
"""What is left of sums that the region does not tell any more."""


class Results:
    """Brings up the sums of one region; to take in the same again changes nothing."""

    def __init__(self, engine: AsyncEngine, hub: RegionalHub, lease: Lease) -> None:
        self._engine = engine
        self._hub = hub
        self._lease = lease

    async def take_changes(self, since: datetime | None) -> int:
        """Take in the sums that changed since we last asked, None: all; returns how many."""
        said, asked_at = 0, None
        async for page in self._hub.results(since):
            asked_at = asked_at or page.asked_at
            said += await self._take(page)
        if asked_at is not None:
            async with transaction(self._engine) as connection:
                await self._lease.fence(connection)
                await region.set_results_since(connection, asked_at)
        return said

    async def take_everything(self) -> int:
        """Take in all sums there are, and take back those that are no more; returns how many changed."""
        said, told = 0, set[Key]()
        async for page in self._hub.results(None):
            told |= {_key(one) for one in page.results}
            said += await self._take(page)
        async with transaction(self._engine) as connection:
            await self._lease.fence(connection)
            await result_states.lock(connection)
            gone = [
                State(day=one.day, job_type=one.job_type, model=one.model, context=one.context, sums=NOTHING)
                for one in await result_states.standing(connection)
                if _key(one) not in told
            ]
            return said + await _say(connection, gone)

    async def _take(self, page: ResultsPage) -> int:
        states = [
            State(day=one.day, job_type=one.job_type, model=one.model, context=one.context, sums=one.sums)
            for one in page.results
        ]
        async with transaction(self._engine) as connection:
            await self._lease.fence(connection)
            await result_states.lock(connection)
            return await _say(connection, states)


async def _say(connection: AsyncConnection, states: list[State]) -> int:
    changed = await result_states.put(connection, states, changed_only=True)
    await say_states(connection, changed)
    return len(changed)


def _key(one: RegionalResults | result_states.Place) -> Key:
    return Key(one.day, one.job_type, one.model, tuple(sorted(one.context.items())))
