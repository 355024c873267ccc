"""The parts of a mesh, servers and daemons, behind one face: start, tell whether ready, stop."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from mesh.plan import DaemonPlan
from shared.embedded.children import Child
from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres

DAEMON_STOP_SECONDS = 30.0


class Part(ABC):
    """Something that runs as one child process. Its methods block and are called from one thread at a time."""

    name: str
    log: Path

    @property
    @abstractmethod
    def child(self) -> Child | None:
        """The process, if one was started and not stopped since."""

    @property
    def address(self) -> str | None:
        """Where it is reached, or what it works on; None before that is known."""
        return None

    @abstractmethod
    def start(self) -> None:
        """Start it; a FlockloreError says why it cannot work at all."""

    @abstractmethod
    def ready(self) -> bool:
        """Tell whether it does its work; asked only while its process runs."""

    @abstractmethod
    def stop(self) -> None:
        """Let it end what it is doing, then make sure it is gone."""

    def kill(self) -> None:
        """Make sure it is gone, now."""
        if self.child is not None:
            self.child.kill()


class NatsPart(Part):
    """The embedded NATS server."""

    name = "nats"

    def __init__(self, server: EmbeddedNats) -> None:
        self._server = server
        self.log = server.log

    @property
    def child(self) -> Child | None:
        return self._server.child

    @property
    def address(self) -> str | None:
        return self._server.url

    def start(self) -> None:
        self._server.start()

    def ready(self) -> bool:
        return self.child is not None

    def stop(self) -> None:
        self._server.stop()


class PostgresPart(Part):
    """The embedded PostgreSQL server, with the databases the daemons need."""

    name = "postgres"

    def __init__(self, server: EmbeddedPostgres, databases: Sequence[str]) -> None:
        self._server = server
        self._databases = databases
        self.log = server.log

    @property
    def child(self) -> Child | None:
        return self._server.child

    @property
    def address(self) -> str | None:
        return self._server.dsn("postgres")

    def start(self) -> None:
        self._server.start()
        self._server.ensure_database(*self._databases)

    def ready(self) -> bool:
        return self.child is not None

    def stop(self) -> None:
        self._server.stop()


class DaemonPart(Part):
    """A daemon that touches a file when it is ready."""

    def __init__(self, plan: DaemonPlan, log: Path) -> None:
        self.name = plan.name
        self.log = log
        self._plan = plan
        self._child: Child | None = None

    @property
    def child(self) -> Child | None:
        return self._child

    @property
    def address(self) -> str | None:
        return str(self._plan.studies) if self._plan.studies else None

    def start(self) -> None:
        self._plan.ready_file.parent.mkdir(parents=True, exist_ok=True)
        self._plan.ready_file.unlink(missing_ok=True)
        self._child = Child.spawn(
            self._plan.command, log=self.log, environment=self._plan.environment, directory=Path.cwd()
        )

    def ready(self) -> bool:
        return self._plan.ready_file.exists()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(signal.SIGTERM, DAEMON_STOP_SECONDS)
            self._child = None
