"""The student: lets every agent study every repository, and says what changed."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents.agent import installed_agents
from instance.agents.miner import Scan, mine
from instance.agents.rounds import go_round
from instance.analysis.git import repository_key
from instance.analysis.workspace import walk
from instance.config import InstanceSettings
from instance.store import insights, outbox, workspace
from instance.store.outbox import event_identity
from instance.store.workspace import Repository
from instance.sync.announce import announce, open_gate
from instance.sync.choice import Limits
from instance.sync.news import News
from schemas.codec import encode
from schemas.events import StatisticsReported
from shared.database import transaction
from shared.errors import NotFoundError

log = structlog.get_logger(__name__)

FIRST_WORD_SECONDS: Final = 4.0
"""A first scan says what it has found so far after this long, so that others need not wait for its end."""


class Student:
    """Studies the workspace of one instance; one study at a time."""

    def __init__(self, engine: AsyncEngine, settings: InstanceSettings, on_said: Callable[[], None]) -> None:
        self._engine = engine
        self._settings = settings
        self._limits = Limits(settings.pattern_files_min, settings.patterns_shared_max)
        self._on_said = on_said
        self._agents = installed_agents(settings.switched_off)
        self._busy = asyncio.Lock()
        self._news: defaultdict[int, News] = defaultdict(News)
        """By repository id."""

    async def study(self) -> list[Scan]:
        """Study every repository that is there, one after another."""
        async with self._busy:
            scans = []
            for root in self._settings.roots:
                try:
                    scans.append(await self._study(root))
                except NotFoundError as error:
                    log.warning("not studied", root=str(root), reason=str(error))
            return scans

    async def say(self) -> int:
        """Say what changed since it was last said; returns the number of events."""
        async with transaction(self._engine) as connection:
            known = await workspace.repositories(connection)
        said = 0
        for repository in known:
            said += await self._say(repository)
        return said

    async def report(self) -> None:
        """Say what has been studied so far, when it differs from what was said before."""
        async with transaction(self._engine) as connection:
            uplink = await outbox.get(connection)
            if uplink.share_since is None:
                return
            languages, size = await workspace.totals(connection)
            event = StatisticsReported(
                **event_identity(),
                version=max(1, int(time.time())),
                repositories=len(await workspace.repositories(connection)),
                files=sum(languages.values()),
                bytes=size,
                patterns=await workspace.count_patterns(connection, self._limits.files_min),
                languages=languages,
                insights_applied=await insights.count(connection),
            )
            await outbox.append(connection, [(event.topic, encode(event))])
        self._on_said()

    async def _study(self, root: Path) -> Scan:
        started = time.monotonic()
        found = await asyncio.to_thread(walk, root)
        async with transaction(self._engine) as connection:
            repository = await workspace.open_repository(
                connection, root, await asyncio.to_thread(repository_key, root)
            )
        first_word = started + FIRST_WORD_SECONDS if not repository.scanned else None
        news = self._news[repository.id]
        scan = Scan()
        async for progress in mine(self._engine, repository, found):
            scan = progress
            if first_word is not None and time.monotonic() > first_word:
                await self._say(repository)
                news.look_at_everything()
                first_word = None
        news.touch(scan.touched)
        said = await self._say(repository)
        news.touch(await go_round(self._engine, repository, found, self._agents))
        said += await self._say(repository)
        (log.info if scan.changed or said else log.debug)(
            "studied", root=str(root), read=scan.read, unchanged=scan.unchanged, removed=scan.removed, said=said,
            skipped=scan.skipped.counts, left_out=scan.left_out.counts, seconds=round(time.monotonic() - started, 2),
        )  # fmt: skip
        for reason, paths in scan.left_out.examples.items():
            log.info("not all could be read", reason=reason, first=paths)
        return scan

    async def _say(self, repository: Repository) -> int:
        news = self._news[repository.id]
        try:
            said = await self._announce(repository, news)
        except BaseException:
            news.look_at_everything()
            raise
        return said

    async def _announce(self, repository: Repository, news: News) -> int:
        async with transaction(self._engine) as connection:
            look = news.take(await insights.version(connection))
            if look.touched is not None and not look.touched:
                return 0
            gate = await open_gate(connection, self._settings.sharing)
            sharing = (await outbox.get(connection)).share_since is not None
            said = await announce(connection, repository, gate, self._limits, sharing=sharing, look=look)
        news.bars = said.bars
        if said.rows and sharing:
            self._on_said()
        return len(said.rows)
