"""What the faults are done to: a broker, centralcloud and some instances, real servers and real processes."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import structs

from shared.embedded.nats import EmbeddedNats
from tests.chaos.spoke import Plan
from tests.chaos.supervision import Supervised
from tests.support.databases import copy_database

NOWHERE = "nats://127.0.0.1:9"
SUSPECT_SECONDS = "2"
TEND_SECONDS = 0.1


@dataclass
class Instance:
    """One instance: what it is to do, and the process that does it."""

    plan: Plan
    process: Supervised
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def twin(self, database_url: str) -> Supervised:
        """A process that does the same on another database."""
        plan = structs.replace(self.plan, database_url=database_url)
        return Supervised(_arguments(plan), self.process.log)


class Mesh:
    """The parts; a fault holds the lock of the part it does something to."""

    def __init__(
        self, directory: Path, broker: EmbeddedNats, make_database: Callable[[], str], names: list[str], *,
        textbook: bool = False,
    ) -> None:  # fmt: skip
        self.broker = broker
        self.broker_lock = asyncio.Lock()
        self.hub_url = make_database()
        self.hub = self._hub(directory, textbook=textbook)
        self.hub_lock = asyncio.Lock()
        self.make_database = make_database
        self.quiet_file = directory / "quiet"
        self.instances = [self._instance(directory, name, textbook=textbook) for name in names]
        self.twins: list[Supervised] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run everything, and start again what ends by itself."""
        for process in self._processes():
            process.start()
        tending = asyncio.create_task(self._tend())
        try:
            yield
        finally:
            tending.cancel()
            for process in self._processes():
                process.kill()

    def exits(self) -> Counter[int]:
        """How often processes ended by themselves, by exit code."""
        return sum((process.exits for process in self._processes()), Counter())

    def be_quiet(self) -> None:
        """Let no instance learn anything more."""
        self.quiet_file.touch()

    async def copy(self, source_url: str, target_url: str) -> None:
        """Replace one database by another."""
        await asyncio.to_thread(copy_database, source_url, target_url)

    async def start_broker(self) -> None:
        """Start it on whatever is in its directory."""
        await asyncio.to_thread(self.broker.start)

    def kill_broker(self) -> None:
        """End it at once."""
        assert self.broker.child is not None
        self.broker.child.kill()

    def wipe_broker(self) -> None:
        """Replace its disk by an empty one."""
        shutil.rmtree(self.store)

    @property
    def store(self) -> Path:
        """Where the broker keeps its streams."""
        return self.broker.directory / "jetstream"

    def send_offline(self, instance: Instance) -> None:
        """From its next start on there is no broker for this instance."""
        self._point(instance, NOWHERE)

    def bring_online(self, instance: Instance) -> None:
        """Start an instance that was offline again, with a broker."""
        instance.process.kill()
        self._point(instance, self.broker.url)
        instance.process.start()

    def _point(self, instance: Instance, nats_url: str) -> None:
        instance.plan = structs.replace(instance.plan, nats_url=nats_url)
        instance.process.arguments = _arguments(instance.plan)

    def _processes(self) -> Iterator[Supervised]:
        yield self.hub
        yield from (instance.process for instance in self.instances)
        yield from self.twins

    async def _tend(self) -> None:
        while True:
            for process in self._processes():
                process.tend()
            await asyncio.sleep(TEND_SECONDS)

    def _hub(self, directory: Path, *, textbook: bool) -> Supervised:
        log = directory / "hub.log"
        if textbook:
            return Supervised(["-m", "tests.chaos.textbook", self.broker.url, self.hub_url], log)
        told = {
            "DATABASE_URL": self.hub_url,
            "NATS_URL": self.broker.url,
            "FLOCKLORE_SUSPECT_SECONDS": SUSPECT_SECONDS,
        }
        return Supervised(["-m", "centralcloud", "run"], log, told)

    def _instance(self, directory: Path, name: str, *, textbook: bool) -> Instance:
        plan = Plan(
            name=name,
            nats_url=self.broker.url,
            database_url=self.make_database(),
            quiet_file=str(self.quiet_file),
            textbook=textbook,
        )
        return Instance(plan, Supervised(_arguments(plan), directory / f"{name}.log"))


def _arguments(plan: Plan) -> list[str]:
    return ["-m", "tests.chaos.spoke", msgspec.json.encode(plan).decode()]
