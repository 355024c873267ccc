"""Regions in the process of the test: each with a NATS, a hub and instances of its own, and a delegate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nats.aio.client import Client
from nats.aio.msg import Msg
from sqlalchemy import text

from instance.region.delegate import Delegate
from schemas.events import Event, PatternForgotten
from shared.bus import settled
from shared.database import transaction
from tests.support.daemons import Hub, Member, hub, member
from tests.support.known import learned, register, take_in
from tests.support.observed import TENANT, digest
from tests.support.wire import plain_client

PATTERNS = ("loop", "guard", "retry")
"""What the instances of a region know together."""

FEW_CONNECTIONS: dict[str, Any] = {"database_pool_size": 1, "database_pool_overflow": 3}
"""A dozen daemons share the server of the tests."""


class Located(Protocol):
    """A server somewhere."""

    @property
    def url(self) -> str: ...


@dataclass
class Tap:
    """Everything anybody published on a server since the tap was put in, but what the server itself is asked."""

    client: Client
    heard: list[Msg] = field(default_factory=list)

    async def finish(self) -> list[Msg]:
        """All that was published until now."""
        await settled(self.client)
        return self.heard

    async def mentions(self, word: str) -> list[str]:
        """Subjects of the messages that hold a word."""
        found = await self.finish()
        return [one.subject for one in found if word.encode() in one.data or word in one.subject]


@dataclass
class Region:
    """One region; its delegate is an instance of the world above, called as the region is."""

    name: str
    url: str
    options: dict[str, Any]
    hub: Hub
    database: str
    stack: AsyncExitStack
    """What runs its hub."""
    members: list[Member] = field(default_factory=list)

    async def conclude(self) -> None:
        """Have its members say everything and its hub conclude from it."""
        for one in self.members:
            await one.shares()
        await self.hub.conclude()

    async def says(self, instance: str, first_seq: int, *events: Event, tenant: str = TENANT) -> None:
        """Have the hub take in what an instance says that is not there, and conclude from it."""
        await take_in(self.hub.engine, instance, first_seq, *events, tenant=tenant)
        await self.hub.conclude()

    async def lose_hub(self, database_url: str) -> None:
        """Stop its hub, and start another on this database."""
        await self.stack.aclose()
        options = self.options | {"worker_id": "another"}  # a copy of the database knows that the one before lives
        self.hub = await self.stack.enter_async_context(hub(self.url, database_url, **options))
        self.database = database_url


class World:
    """A hub above, and regions below it."""

    def __init__(
        self,
        stack: AsyncExitStack,
        start_nats: Callable[[], Located],
        make_database: Callable[[], str],
        directory: Path,
    ) -> None:
        self.stack = stack
        self.directory = directory
        self.make_database = make_database
        self._start_nats = start_nats
        self.url = start_nats().url
        self.hub: Hub

    async def begin(self, **changes: Any) -> World:
        """Start the hub above."""
        self._options = {"region": "world"} | FEW_CONNECTIONS | changes
        self._hub_stack = await self.stack.enter_async_context(AsyncExitStack())
        self.hub = await self._start_hub()
        return self

    async def lose_hub(self) -> None:
        """Stop the hub above, and start another on an empty database."""
        await self._hub_stack.aclose()
        self.hub = await self._start_hub()

    async def _start_hub(self) -> Hub:
        return await self._hub_stack.enter_async_context(hub(self.url, self.make_database(), **self._options))

    async def region(self, name: str, **changes: Any) -> Region:
        """Start a region without a delegate."""
        url, database = self._start_nats().url, self.make_database()
        options = {"region": name, "region_delegate": name} | FEW_CONNECTIONS | changes
        stack = await self.stack.enter_async_context(AsyncExitStack())
        found = await stack.enter_async_context(hub(url, database, **options))
        return Region(name, url, options, found, database, stack)

    async def join(self, region: Region, name: str, workspace: Path, **changes: Any) -> Member:
        """Start an instance in a region; it has said nothing yet."""
        options: dict[str, Any] = {"instance_id": name, "region": region.name} | FEW_CONNECTIONS | changes
        one = await self.stack.enter_async_context(member(region.url, self.make_database(), workspace, **options))
        region.members.append(one)
        return one

    async def delegate(self, home: Region, database: str | None = None, **changes: Any) -> Member:
        """Start the delegate of a region, for as long as the test runs."""
        return await self.stack.enter_async_context(self.passing_delegate(home, database, **changes))

    @asynccontextmanager
    async def passing_delegate(
        self, home: Region, database: str | None = None, **changes: Any
    ) -> AsyncIterator[Member]:
        """Run the delegate of a region for the length of a block."""
        options: dict[str, Any] = {
            "instance_id": home.name, "region": home.name, "region_nats_url": home.url,
        } | FEW_CONNECTIONS | changes  # fmt: skip
        workspace = self.directory / "nothing"
        async with member(self.url, database or self.make_database(), workspace, **options) as one:
            yield one

    async def tap(self) -> Tap:
        """Listen to everything on the server above."""
        tap = Tap(await self.stack.enter_async_context(plain_client(self.url)))

        async def hear(message: Msg) -> None:
            tap.heard.append(message)

        await tap.client.subscribe(">", cb=hear)
        await settled(tap.client)
        return tap


async def looked(delegate: Member) -> None:
    """Wait until a delegate has asked its region's hub once more, and done what follows from the answer."""
    for _ in range(2):  # when the second round begins the first has ended
        before = await delegate.value("SELECT clock_timestamp()")
        delegate.part(Delegate).wake()
        await delegate.reaches("SELECT coalesce(heard_at > :before, false) FROM region", wanted=True, before=before)


async def brought_up(delegate: Member, region: Region) -> None:
    """Wait until a delegate has read all its region knows by now, and the hub above has confirmed it."""
    head = await region.hub.value("SELECT coalesce(max(version), 0) FROM insight_heads")
    await looked(delegate)
    await delegate.reaches("SELECT version >= :head FROM region", wanted=True, head=head)
    await delegate.all_confirmed()


async def told_down(delegate: Member, region: Region, version: int) -> None:
    """Wait until a region has been told everything up to a version of the hub above."""
    await delegate.knows(version)
    await looked(delegate)
    await region.hub.reaches("SELECT coalesce(max(version), 0) >= :version FROM tellings", wanted=True, version=version)


async def whole_due(delegate: Member) -> None:
    """Have it be time for a delegate to read everything."""
    await _run(delegate, "UPDATE region SET whole_at = NULL")


async def grace_over(delegate: Member) -> None:
    """Have so much time pass since a region's hub began anew that it must have said again what it knows."""
    await _run(delegate, "UPDATE region SET lost_at = lost_at - interval '1 day'")


async def _run(delegate: Member, statement: str) -> None:
    async with transaction(delegate.engine) as connection:
        await connection.execute(text(statement))


async def knowing(world: World, name: str, *, tenant: str = "default") -> Region:
    """A region of two instances that know three patterns together, and one each alone."""
    region = await world.region(name)
    await tell(region, tenant=tenant)
    return region


async def tell(region: Region, *, tenant: str = "default", first_seq: int = 1, version: int = 1) -> None:
    """Have the two instances say what they know, as they would a hub that lost it."""
    await register(region.hub.engine, "ann", "bob", tenant=tenant)
    for name in ("ann", "bob"):
        patterns = (*PATTERNS, f"only {name} of {region.name}")
        events = [learned(one, f"{name} of {region.name}", version=version) for one in patterns]
        await region.says(name, first_seq, *events, tenant=tenant)


def forgotten(pattern: str, repository: str) -> PatternForgotten:
    """A pattern is no more in a repository."""
    return PatternForgotten(
        id=digest(f"end of {pattern}"), time=learned("a", "b").time, fingerprint=digest(pattern),
        repository=digest(repository), version=2,
    )  # fmt: skip
