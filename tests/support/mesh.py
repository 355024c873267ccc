"""The `flocklore` command in processes of its own, with stand-ins for the daemons it starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mesh.status import MeshStatus, read_status
from shared.embedded.processes import ProcessIdentity
from tests.support.processes import REPOSITORY
from tests.support.wait import eventually_sync

_STAND_INS = REPOSITORY / "tests" / "e2e" / "stand_ins"
_TAKE_TERMINAL = (
    sys.executable,
    "-c",
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])",
)
_READY_SECONDS = 60.0
_COMMAND_SECONDS = 60.0


class Mesh:
    """A state directory and the commands on it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.seen: set[ProcessIdentity] = set()

    def run(self, *arguments: object, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(environment),
            cwd=self.state,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
        )

    def command(self, name: object, *arguments: object) -> list[str]:
        """Return the command line of a subcommand on this state directory."""
        return [sys.executable, "-P", "-m", "mesh", str(name), "--state-dir", str(self.state), *map(str, arguments)]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return an environment in which the stand-ins are found before the real daemons."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.state),
            "NATS_PORT": "24222",
            "PYTHONPATH": f"{_STAND_INS}{os.pathsep}{REPOSITORY}",
            **(more or {}),
        }

    def document(self, *arguments: object) -> dict[str, Any]:
        """Run a command with --json and return what it printed."""
        return dict(json.loads(self.run(*arguments, "--json").stdout))

    def status(self) -> MeshStatus | None:
        """Return what runs, and remember its processes for `all_gone`."""
        status = read_status(self.state)
        if status is not None:
            self.seen |= {status.supervisor, *(part.process for part in status.parts if part.process)}
        return status

    def until_ready(self) -> MeshStatus:
        """Wait until every part is ready."""
        eventually_sync(lambda: (status := self.status()) and status.ready, _READY_SECONDS, "everything ready")
        status = self.status()
        assert status is not None
        return status

    def all_gone(self) -> bool:
        """Tell whether no process that `status` ever saw is left."""
        return not any(process.alive() for process in self.seen)

    def process(self, name: str) -> ProcessIdentity:
        """Return the process of a part."""
        status = self.status()
        assert status is not None
        (part,) = (part for part in status.parts if part.name == name)
        assert part.process is not None
        return part.process

    @contextmanager
    def up(
        self, *arguments: object, environment: Mapping[str, str] | None = None, terminal: Terminal | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run `up` in the foreground and wait until it is ready; killed at the end if it still runs."""
        command = self.command("up", *arguments)
        process = subprocess.Popen(
            [*_TAKE_TERMINAL, *command] if terminal else command,
            env=self.environment(environment),
            cwd=self.state,
            stdin=terminal.inside if terminal else subprocess.DEVNULL,
            stdout=terminal.inside if terminal else subprocess.DEVNULL,
            stderr=terminal.inside if terminal else None,
            start_new_session=True,
        )
        try:
            self.until_ready()
            yield process
        finally:
            process.kill()
            process.wait()


class Terminal:
    """A terminal a test can type on."""

    def __init__(self) -> None:
        self._outside, self.inside = os.openpty()

    def press(self, key: bytes) -> None:
        """Type something."""
        os.write(self._outside, key)

    def shown(self) -> str:
        """Return all that was printed; the program must have ended."""
        os.close(self.inside)
        printed = b""
        with suppress(OSError):  # the end of a terminal is an error
            while chunk := os.read(self._outside, 65536):
                printed += chunk
        os.close(self._outside)
        return printed.decode()

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self.inside)
        os.close(self._outside)


@contextmanager
def new_mesh(state: Path) -> Iterator[Mesh]:
    """Give a mesh that does not run yet; nothing of it is left at the end."""
    mesh = Mesh(state)
    yield mesh
    if status := mesh.status():
        status.supervisor.signal(signal.SIGKILL)
    eventually_sync(mesh.all_gone, _READY_SECONDS, "everything gone")
