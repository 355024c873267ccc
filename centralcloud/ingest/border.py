"""What arrives of tenants that must not be in this region is not taken in: nothing is kept of it, and none confirmed.

They are told when they ask to be admitted; this is for who speaks all the same, and what is posted over HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.ingest.arrivals import Arrival, DeadLetter
from centralcloud.store import pins
from schemas.subjects import sender_of
from shared.database import transaction

log = structlog.get_logger(__name__)


class Border:
    """Stands before the database of a hub in `region`."""

    def __init__(self, engine: AsyncEngine, region: str) -> None:
        self._engine = engine
        self._region = region

    async def let_in(
        self, arrivals: Sequence[Arrival], letters: Sequence[DeadLetter]
    ) -> tuple[list[Arrival], list[DeadLetter]]:
        """Leave out what belongs elsewhere: who sent it goes without a receipt, and so keeps it."""
        tenants = {one.sender.tenant for one in arrivals} | set(map(_tenant, letters))
        async with transaction(self._engine) as connection:
            foreign = await pins.elsewhere(connection, tenants, self._region)
        if foreign:
            log.warning("left out what belongs to another region", tenants=sorted(foreign), region=self._region)
        return (
            [one for one in arrivals if one.sender.tenant not in foreign],
            [one for one in letters if _tenant(one) not in foreign],
        )


def _tenant(letter: DeadLetter) -> str:
    """Whose it is; empty when the subject does not say."""
    sender = letter.lineage or sender_of(letter.subject)
    return sender.tenant if sender else ""
