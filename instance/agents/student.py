"""The student: what an instance does to study a directory, one step at a time, each in a transaction of its own.

The steps, and which follows which, are a workflow (`instance.jobs.study`): any process of the instance may take the
next one, as long as it sees the same directory.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents import miner
from instance.agents.agent import installed_agents
from instance.agents.codebase import Codebase
from instance.agents.manifests import own_modules_of
from instance.agents.orders import AgentOrder, Consulted, Found, Mined, Order, Part, Published, Scan
from instance.agents.rounds import consult, who_is_due
from instance.analysis.git import repository_key
from instance.analysis.languages import LANGUAGES
from instance.analysis.workspace import Skipped, Workspace, walk
from instance.config import InstanceSettings
from instance.store import findings, insights, outbox, workspace
from instance.store.outbox import event_identity
from instance.store.workspace import Repository
from instance.sync.announce import announce, open_gate
from instance.sync.choice import Limits
from instance.sync.news import News
from schemas.codec import encode
from schemas.events import StatisticsReported
from shared.database import transaction
from shared.pool import CpuProcesses

log = structlog.get_logger(__name__)

FIRST_WORD_SECONDS: Final = 4.0
"""A first scan says what it has found so far after this long, so that others need not wait for its end."""


@dataclass
class Walk:
    """What one walk through a directory saw, and the name it goes by among the steps of a study."""

    look: str
    seen: Workspace

    @cached_property
    def own_modules(self) -> dict[str, frozenset[str]]:
        """The modules of the codebase itself, by language."""
        return own_modules_of(self.seen)


class Student:
    """Studies the workspace of one instance."""

    def __init__(self, engine: AsyncEngine, settings: InstanceSettings) -> None:
        self.on_said: Callable[[], None] = lambda: None
        """Called when events were appended to the outbox."""
        self._engine = engine
        self._settings = settings
        self._limits = Limits(settings.pattern_files_min, settings.patterns_shared_max)
        self._agents = {agent.name: agent for agent in installed_agents(settings.switched_off)}
        self._processes = CpuProcesses(miner.WORKERS)
        self._saying: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._news: defaultdict[int, News] = defaultdict(News)
        """By repository id, as the locks."""
        self._first_words: set[int] = set()
        self._walked: dict[str, Walk] = {}
        """The last of each directory."""

    @property
    def roots(self) -> list[Path]:
        """The directories to study."""
        return self._settings.roots

    @property
    def languages(self) -> list[str]:
        """Languages it can read."""
        return list(LANGUAGES)

    async def close(self) -> None:
        """End the processes that read."""
        await self._processes.close()

    async def scan(self, order: Order) -> Found:
        """Walk through a directory; raises `NotFoundError` when it is none."""
        root, begun, look = Path(order.root), time.time(), uuid.uuid4().hex
        seen = await asyncio.to_thread(walk, root)
        self._walked[order.root] = Walk(look, seen)
        key = await asyncio.to_thread(repository_key, root)
        async with transaction(self._engine) as connection:
            repository = await workspace.open_repository(connection, root, key)
        return await miner.look(self._engine, repository, seen, name=look, begun=begun)

    async def mine(self, part: Part) -> Mined:
        """Mine some files; a first scan that takes long is told about before it ends."""
        repository = await self._repository(part.root)
        walked = await self._walk(part.root, part.look)
        own = await asyncio.to_thread(lambda: walked.own_modules)
        mined = await miner.mine(self._engine, self._processes, repository, part, own)
        if part.first and repository.id not in self._first_words and time.time() > part.begun + FIRST_WORD_SECONDS:
            self._first_words.add(repository.id)
            await self._say(repository, None)
        return mined

    async def publish(self, found: Found, mined: list[Mined]) -> Published:
        """Say what the miner found, and see which agents have something new to study."""
        repository = await self._repository(found.root)
        async with transaction(self._engine) as connection:
            await workspace.mark_scanned(connection, repository)
        said = await self._say(repository, _union([found.touched, *(part.touched for part in mined)]))
        seen = (await self._walk(found.root, found.look)).seen
        due, gone = await who_is_due(self._engine, repository, seen, list(self._agents.values()))
        orders = [
            AgentOrder(root=found.root, look=found.look, agent=name, inputs=inputs) for name, inputs in due.items()
        ]
        return Published(said=said, due=orders, touched=frozenset(gone))

    async def consult(self, order: AgentOrder) -> Consulted:
        """Let one agent study; one that is not installed in this process finds nothing."""
        agent = self._agents.get(order.agent)
        if agent is None:
            return Consulted(agent=order.agent, touched=frozenset())
        repository = await self._repository(order.root)
        seen = (await self._walk(order.root, order.look)).seen
        async with transaction(self._engine) as connection:
            codebase = Codebase(seen, await findings.facts(connection, repository))
        touched = await consult(self._engine, self._processes, repository, agent, codebase, order.inputs)
        return Consulted(agent=order.agent, touched=frozenset(touched))

    async def conclude(
        self, found: Found, mined: list[Mined], published: Published, consulted: list[Consulted]
    ) -> Scan:
        """Say what the agents found, and sum up the study."""
        repository = await self._repository(found.root)
        touched = _union([published.touched, *(one.touched for one in consulted)])
        said = published.said + await self._say(repository, touched)
        left_out = Skipped()
        for part in mined:
            left_out.merge(part.left_out)
        scan = Scan(
            root=found.root,
            read=sum(part.files for part in mined),
            unchanged=found.unchanged,
            removed=found.removed,
            rest=found.rest,
            bytes=sum(part.bytes for part in mined),
            said=said,
            seconds=round(time.time() - found.begun, 2),
            skipped=found.skipped,
            left_out=left_out,
        )
        _log(scan)
        if scan.said:
            await self.report()
        return scan

    async def say(self) -> int:
        """Say what changed since it was last said; returns the number of events."""
        async with transaction(self._engine) as connection:
            known = await workspace.repositories(connection)
        return sum([await self._say(repository, frozenset()) for repository in known])

    async def report(self) -> None:
        """Say how much has been studied so far, unless the instance shares nothing."""
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
        self.on_said()

    async def _repository(self, root: str) -> Repository:
        async with transaction(self._engine) as connection:
            return await workspace.known_repository(connection, root)

    async def _walk(self, root: str, look: str) -> Walk:
        """What a walk saw; that of another process is made again here."""
        known = self._walked.get(root)
        if known is None or known.look != look:
            known = self._walked[root] = Walk(look, await asyncio.to_thread(walk, Path(root)))
        return known

    async def _say(self, repository: Repository, touched: frozenset[str] | None) -> int:
        """Say what is news of a repository, `touched` at least; None: whatever differs from what was said."""
        async with self._saying[repository.id]:
            news = self._news[repository.id]
            if touched is None:
                news.look_at_everything()
            else:
                news.touch(touched)
            try:
                return await self._announce(repository, news)
            except BaseException:
                news.look_at_everything()
                raise

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
            self.on_said()
        return len(said.rows)


def _union(parts: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """All that was touched; None as soon as one part is to be looked at as a whole."""
    together: set[str] = set()
    for touched in parts:
        if touched is None:
            return None
        together |= touched
    return frozenset(together)


def _log(scan: Scan) -> None:
    (log.info if scan.changed or scan.said else log.debug)(
        "studied", root=scan.root, read=scan.read, unchanged=scan.unchanged, removed=scan.removed, said=scan.said,
        skipped=scan.skipped.counts, left_out=scan.left_out.counts, seconds=scan.seconds,
    )  # fmt: skip
    for reason, paths in scan.left_out.examples.items():
        log.info("not all could be read", reason=reason, first=paths)
