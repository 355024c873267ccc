"""Patterns up: what the region knows by itself becomes the findings of its delegate, and is said as those are.

Insights are read by version, as every instance reads them; now and then all of them, so that what is no more is taken
back. What was read, what is said of it and how far we are is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from instance.config import Sharing
from instance.region.hub import RegionalHub
from instance.region.wording import finding_of
from instance.store import findings, insights, region, workspace
from instance.store.findings import FindingRow
from instance.store.workspace import Repository
from instance.sync.announce import announce, open_gate
from instance.sync.choice import Limits
from instance.sync.gate import INSTANCES_MIN
from instance.sync.news import Look
from schemas.insights import Insight, InsightsPage
from shared.database import transaction
from shared.errors import UnreachableError
from shared.lease import Lease

log = structlog.get_logger(__name__)

AGENT: Final = "delegate"
_LIMITS: Final = Limits(files_min=1, patterns_max=2**31 - 1)
"""The region's hub has chosen already: everything it knows is said."""


class Patterns:
    """Brings up the patterns of one region, as of one repository whose key tells only that it is that region."""

    def __init__(self, engine: AsyncEngine, hub: RegionalHub, lease: Lease, name: str, sharing: Sharing) -> None:
        self._engine = engine
        self._hub = hub
        self._lease = lease
        self._root = f"region:{name}"
        self._sharing = sharing

    async def take_changes(self, since: int) -> int:
        """Take in what changed after a version; returns how many patterns something was said of."""
        said = 0
        while True:
            page = await self._hub.insights(since)
            if page.head < since:
                await self._start_over(page.head, since)
                since = 0
                continue
            upto = _upto(page)
            async with transaction(self._engine) as connection:
                await self._lease.fence(connection)
                await region.advance(connection, upto)
                said += await self._take(connection, page.insights)
            if page.complete:
                return said
            since = upto

    async def take_everything(self) -> int:
        """Take in all there is, and take back what is no more; returns how many patterns something was said of."""
        known, head = await self._everything()
        async with transaction(self._engine) as connection:
            await self._lease.fence(connection)
            await region.advance(connection, head)
            repository = await self._repository(connection)
            rows = [row for one in known if (row := _row(one)) is not None]
            await _make_public(connection, known, rows)
            touched = await findings.replace(connection, repository, AGENT, rows)
            return await self._say(connection, repository, touched)

    async def _everything(self) -> tuple[Sequence[Insight], int]:
        """Read every insight in its newest version, and which version that is of all of them."""
        known: dict[str, Insight] = {}
        since = 0
        while True:
            page = await self._hub.insights(since)
            if page.head < since:
                raise UnreachableError("the region's hub began to count anew while it was read")
            known |= {one.id: one for one in page.insights}
            since = _upto(page)
            if page.complete:
                return list(known.values()), since

    async def _start_over(self, head: int, ours: int) -> None:
        log.warning("the region's hub counts from the beginning again", its_head=head, ours=ours)
        async with transaction(self._engine) as connection:
            await self._lease.fence(connection)
            await region.start_over(connection)

    async def _take(self, connection: AsyncConnection, changed: Sequence[Insight]) -> int:
        rows = [row for one in changed if (row := _row(one)) is not None]
        stands = {row.fingerprint for row in rows}
        repository = await self._repository(connection)
        await _make_public(connection, changed, rows)
        touched = await findings.put(connection, repository, AGENT, rows)
        touched |= await findings.drop(connection, repository, AGENT, {one.id for one in changed} - stands)
        return await self._say(connection, repository, touched)

    async def _say(self, connection: AsyncConnection, repository: Repository, touched: AbstractSet[str]) -> int:
        if not touched:
            return 0
        gate = await open_gate(connection, self._sharing)
        said = await announce(connection, repository, gate, _LIMITS, sharing=True, look=Look(touched, {}))
        return len(said.rows)

    async def _repository(self, connection: AsyncConnection) -> Repository:
        key = blake2b(self._root.encode(), digest_size=16).hexdigest()
        return await workspace.open_repository(connection, Path(self._root), key)


def _row(insight: Insight) -> FindingRow | None:
    """The finding of an insight that the region has by itself; None of any other."""
    return finding_of(insight) if insight.state == "active" and not insight.above else None


def _upto(page: InsightsPage) -> int:
    return page.head if page.complete else page.insights[-1].version


async def _make_public(connection: AsyncConnection, known: Iterable[Insight], rows: Iterable[FindingRow]) -> None:
    """Names in templates that many instances of the region share are no secret of any of them."""
    shared = {one.id for one in known if one.instances >= INSTANCES_MIN}
    pairs = [(row.language, name) for row in rows if row.fingerprint in shared for name, _ in row.names]
    await insights.put_public_names(connection, pairs)
