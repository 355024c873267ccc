"""Whole daemons in the process of the test: what their `build` yields, running on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from nats.aio.client import Client
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

import centralcloud.daemon
import instance.daemon
from centralcloud.aggregator import Aggregator
from centralcloud.config import CentralcloudSettings
from instance.config import InstanceSettings
from shared.database import connect_engine
from shared.schedule import Schedules
from shared.service import Service
from tests.support.lifecycle import started
from tests.support.wait import eventually
from tests.support.wire import plain_client

ON_DEMAND: Final = {"pattern_mining": "off", "pattern_sync": "off", "results": "off", "statistics": "off"}
"""A test says when an instance studies."""

S = TypeVar("S", bound=Service)


@dataclass
class Daemon:
    """A running daemon and its database."""

    services: Sequence[Service]
    engine: AsyncEngine

    def part(self, kind: type[S]) -> S:
        """Its service of this kind."""
        (found,) = (service for service in _all(self.services) if isinstance(service, kind))
        return found

    async def value(self, statement: str, **values: object) -> Any:
        """One value of a statement on its database."""
        async with self.engine.connect() as connection:
            return (await connection.execute(text(statement), values)).scalar()

    async def reaches(self, statement: str, wanted: object, timeout_seconds: float = 20.0, **values: object) -> None:
        """Wait until a statement on its database gives this value."""

        async def check() -> bool:
            return bool(await self.value(statement, **values) == wanted)

        await eventually(check, timeout_seconds, what=f"{wanted} of {statement}")


def _all(services: Iterable[Service]) -> Iterator[Service]:
    """Services, and the parts they run."""
    for service in services:
        yield service
        yield from _all(getattr(service, "parts", ()))


class Hub(Daemon):
    """A running centralcloud."""

    async def conclude(self) -> int:
        """Aggregate everything there is now; returns the version of the insights."""
        return max((result.head for result in await self.part(Aggregator).request()), default=0)


class Member(Daemon):
    """A running instance."""

    async def study(self) -> None:
        """Study the workspace now, as the schedule would."""
        await self.part(Schedules).run_now("pattern_mining")

    async def shares(self) -> None:
        """Study, and wait until centralcloud has confirmed all that was said."""
        await self.study()
        await self.all_confirmed()

    async def all_confirmed(self) -> None:
        """Wait until nothing is on its way to centralcloud."""
        await self.reaches("SELECT count(*) FROM outbox WHERE confirmed_at IS NULL", 0)

    async def knows(self, version: int) -> None:
        """Wait until the insights are applied up to a version."""
        await self.reaches("SELECT version >= :version FROM downlink", wanted=True, version=version)


@asynccontextmanager
async def hub(nats_url: str, database_url: str, **changes: Any) -> AsyncIterator[Hub]:
    """Run centralcloud."""
    settings = CentralcloudSettings(nats_url=nats_url, database_url=database_url, **changes)
    async with centralcloud.daemon.build(settings) as services, _engine(database_url) as engine, started(*services):
        yield Hub(services, engine)


@asynccontextmanager
async def member(nats_url: str, database_url: str, workspace: Path, **changes: Any) -> AsyncIterator[Member]:
    """Run an instance that studies a directory, called by the directory's name."""
    options: dict[str, Any] = {
        "instance_id": workspace.name,
        "schedules": ON_DEMAND,
        "heartbeat_seconds": 0.5,
    } | changes
    settings = InstanceSettings(nats_url=nats_url, database_url=database_url, workspace=str(workspace), **options)
    async with instance.daemon.build(settings) as services, _engine(database_url) as engine, started(*services):
        yield Member(services, engine)


class Fleet:
    """A hub, and members that come and go on one NATS server."""

    def __init__(self, stack: AsyncExitStack, url: str, make_database: Callable[[], str], directory: Path) -> None:
        self.url = url
        self.directory = directory
        self._stack = stack
        self._make_database = make_database

    async def hub(self, **changes: Any) -> Hub:
        """Start centralcloud."""
        return await self._stack.enter_async_context(hub(self.url, self._make_database(), **changes))

    async def member(self, name: str, *sources: str, **changes: Any) -> Member:
        """Start an instance whose codebase has each source in two files; it has said nothing yet."""
        return await self._stack.enter_async_context(
            member(self.url, self._make_database(), self.workspace(name, *sources), **changes)
        )

    async def client(self) -> Client:
        """Connect a client that knows nothing of Flocklore."""
        return await self._stack.enter_async_context(plain_client(self.url))

    def workspace(self, name: str, *sources: str) -> Path:
        """Write a codebase."""
        files = {"Makefile": "all:\n"}
        for number, source in enumerate(sources):
            files |= in_two_files(source, f"source_{number}")
        return codebase(self.directory / name, files)


def codebase(directory: Path, files: Mapping[str, str]) -> Path:
    """Write files, by their path below the directory."""
    for path, source in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(source, encoding="utf-8")
    return directory


def in_two_files(source: str, name: str = "habit") -> dict[str, str]:
    """The same Python in two files: what is in one only is no pattern."""
    return {f"{name}_one.py": source, f"{name}_two.py": source}


@asynccontextmanager
async def _engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = connect_engine(database_url, application="test")
    try:
        yield engine
    finally:
        await engine.dispose()
