"""The delegate: between a region and the hub above it, and silent there whenever nothing may leave the region.

Before every round the region's hub is asked whether what is the tenant's may leave. Unless it says so the connection to
the hub above is closed: what is not connected cannot say anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog
from nats.aio.msg import Msg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.config import InstanceSettings
from instance.region.hub import RegionalHub
from instance.region.patterns import Patterns
from instance.region.results import Results
from instance.region.telling import Telling
from instance.store import region
from schemas import subjects
from schemas.region import RegionPage
from schemas.subjects import Sender
from shared.bus import Bus
from shared.database import transaction
from shared.errors import FlockloreError, TransientError, UnreachableError
from shared.lease import Lease
from shared.service import Service

log = structlog.get_logger(__name__)

ROLE: Final = "region"
"""What its heartbeats call it: as long as they are heard, its region lives."""

ASK_SECONDS: Final = 10.0
JITTER: Final = (0.8, 1.2)

WORD_SECONDS: Final = 30.0
"""How long a word of the region's hub, that something may leave, holds while it does not answer."""

GRACE_SECONDS: Final = 600.0
"""So long after the region's hub began anew, what it has not said again is taken back."""

WHOLE_SECONDS: Final = 3600.0
"""How often everything is read."""


class Delegate(Service):
    """Owns the connection to the hub above, and brings up and down what may pass."""

    name = "delegate"

    def __init__(
        self,
        engine: AsyncEngine,
        regional: Bus,
        above: Bus,
        lease: Lease,
        sender: Sender,
        settings: InstanceSettings,
        *,
        on_said: Callable[[], None],
    ) -> None:
        super().__init__()
        self.parts = (above,)
        """What it runs while something may leave."""
        self._engine = engine
        self._above = above
        self._region = settings.region
        self._on_said = on_said
        self._hub = RegionalHub(regional, sender)
        self._patterns = Patterns(engine, self._hub, lease, settings.region, settings.sharing)
        self._results = Results(engine, self._hub, lease)
        self._telling = Telling(engine, self._hub)
        self._due = asyncio.Event()
        self._allowed_at = -WORD_SECONDS
        regional.subscribe(subjects.INSIGHTS, self._hint)
        regional.on_connect(self._connected)

    def wake(self) -> None:
        """Say that there is something to bring down."""
        self._due.set()

    async def open(self) -> None:
        """Look at the credentials for the hub above: a wrong path is told now, not when something may leave."""
        await self._above.open()

    async def run(self) -> None:
        """Round after round: on a hint, and about every ten seconds in case one was lost."""
        while True:
            self._due.clear()
            try:
                await self._round()
            except FlockloreError as error:
                await self._note_trouble(str(error))
            except DBAPIError as error:
                log.warning("what the region's hub says cannot be kept", error=str(error.orig))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), ASK_SECONDS * random.uniform(*JITTER))  # noqa: S311

    async def close(self) -> None:
        """Leave the hub above."""
        await self._above.stop()

    async def _round(self) -> None:
        """Ask whether anything may leave; then bring it up, and down what the tenant's region may hold."""
        try:
            page = await self._hub.standing()
        except FlockloreError as error:
            await self._unanswered(error)
            return
        works: list[Callable[[], Awaitable[object]]] = []
        if reason := self._held_back(page):
            await self._hold(reason)
        else:
            await self._allow()
            works.append(self._bring_up)
        if page.admitted and page.region == self._region:
            works.append(self._telling.tell)
        await _each(works)

    def _held_back(self, page: RegionPage) -> str:
        """Why nothing leaves; empty when it may."""
        if page.region != self._region:
            return f"this is the delegate of {self._region}, and the hub it asks is of {page.region or 'no region'}"
        return "" if page.leaves else "; ".join(page.reasons) or f"the tenant is pinned to {page.primary}"

    async def _allow(self) -> None:
        self._allowed_at = time.monotonic()
        async with transaction(self._engine) as connection:
            await region.note_heard(connection, leaves=True, reason="")
        if not self._above.running:
            log.info("what the region knows together may leave it", region=self._region)
        await self._above.start()

    async def _hold(self, reason: str) -> None:
        await self._leave(reason)
        async with transaction(self._engine) as connection:
            await region.note_heard(connection, leaves=False, reason=reason)

    async def _unanswered(self, error: FlockloreError) -> None:
        """Go on for a moment with what was said last; nothing new is read meanwhile."""
        reason = f"the region's hub does not say whether anything may leave: {error}"
        if time.monotonic() - self._allowed_at < WORD_SECONDS:
            raise UnreachableError(reason) from error
        await self._leave(reason)
        async with transaction(self._engine) as connection:
            await region.note_held(connection, reason)

    async def _leave(self, reason: str) -> None:
        if self._above.running:
            log.warning("nothing leaves the region now", region=self._region, reason=reason)
            await self._above.stop()

    async def _bring_up(self) -> None:
        async with transaction(self._engine) as connection:
            version = await region.version(connection)
        said = await self._patterns.take_changes(version)
        async with transaction(self._engine) as connection:
            feed = await region.feed(connection, whole_seconds=WHOLE_SECONDS, grace_seconds=GRACE_SECONDS)
        if feed.whole_due:
            said += await self._patterns.take_everything() + await self._results.take_everything()
            async with transaction(self._engine) as connection:
                await region.note_whole(connection)
        said += await self._results.take_changes(feed.results_since)
        if said:
            log.info("the region says", changes=said)
            self._on_said()

    async def _note_trouble(self, reason: str) -> None:
        log.debug("not brought up or down", reason=reason)
        with contextlib.suppress(UnreachableError):
            async with transaction(self._engine) as connection:
                await region.note_trouble(connection, reason)

    async def _connected(self) -> None:
        self._due.set()

    async def _hint(self, message: Msg) -> None:  # noqa: ARG002 - whatever it says, the truth is asked for
        self._due.set()


async def _each(works: Iterable[Callable[[], Awaitable[object]]]) -> None:
    """Do each of some works, whether or not another fails; raises `TransientError` for those that did."""
    troubles = []
    for work in works:
        try:
            await work()
        except FlockloreError as error:
            troubles.append(str(error))
    if troubles:
        raise TransientError("; ".join(troubles))
