"""The parts of a mesh, servers and daemons, behind one face: start, tell whether ready, stop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mesh.front import Front
from mesh.plan import DaemonPlan
from shared.embedded.children import Child
from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres

DAEMON_STOP_SECONDS = 30.0


class Part(Protocol):
    """Something that runs as one child process. Its methods block and are called from one thread at a time."""

    name: str
    log: Path

    @property
    def child(self) -> Child | None:
        """The process, if one was started and not stopped since."""

    @property
    def address(self) -> str | None:
        """Where it is reached, or what it works on."""

    def start(self) -> None:
        """Start it; a FlockloreError says why it cannot work at all."""

    def ready(self) -> bool:
        """Tell whether it does its work; asked only while its process runs."""

    def stop(self) -> None:
        """Let it end what it is doing, then make sure it is gone."""


class ServerPart:
    """An embedded server, ready once it has started; `address` tells where, `prepare` is done after each start."""

    def __init__(
        self,
        name: str,
        server: EmbeddedNats | EmbeddedPostgres,
        address: Callable[[], str],
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.log = server.log
        self._server = server
        self._address = address
        self._prepare = prepare

    @property
    def child(self) -> Child | None:
        """The process of the server."""
        return self._server.child

    @property
    def address(self) -> str | None:
        """The URL of the server."""
        return self._address()

    def start(self) -> None:
        """Start the server, wait until it answers, and prepare it for the daemons."""
        self._server.start()
        self._prepare()

    def ready(self) -> bool:
        """Tell whether it has started: `start` waits until it answers."""
        return self._server.child is not None

    def stop(self) -> None:
        """Shut the server down."""
        self._server.stop()


class DaemonPart:
    """A daemon that touches a file when it is ready; with a `front` it is told where to answer over HTTP."""

    def __init__(self, plan: DaemonPlan, log: Path, front: Front | None = None) -> None:
        self.name = plan.name
        self.log = log
        self._plan = plan
        self._front = front
        self._child: Child | None = None

    @property
    def child(self) -> Child | None:
        """The process of the daemon."""
        return self._child

    @property
    def address(self) -> str | None:
        """Where it answers, or the directory it studies, if it is an instance."""
        if self._front is not None:
            return self._front.url
        return str(self._plan.studies) if self._plan.studies else None

    def start(self, directory: Path | None = None) -> None:
        """Start the process, in `directory` or where we are; it is ready later."""
        self._plan.ready_file.parent.mkdir(parents=True, exist_ok=True)
        self._plan.ready_file.unlink(missing_ok=True)
        environment = dict(self._plan.environment)
        if self._front is not None:
            environment["PORT"] = str(self._front.choose())
        self._child = Child.spawn(
            self._plan.command, log=self.log, environment=environment, directory=directory or Path.cwd()
        )

    def ready(self) -> bool:
        """Tell whether the daemon says so."""
        return self._plan.ready_file.exists()

    def stop(self) -> None:
        """Let the daemon finish what it is doing; killed after DAEMON_STOP_SECONDS."""
        if self._child is not None:
            self._child.stop(signal.SIGTERM, DAEMON_STOP_SECONDS)
            self._child = None
