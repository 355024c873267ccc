"""Starting a mesh that goes on when this command returns."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mesh.composition import LOGS, already_running
from mesh.plan import checkout_environment, module_command
from mesh.status import MeshStatus, read_status
from shared.embedded.logfiles import open_log, tail
from shared.errors import DegradedError, Exit, FlockloreError

READY_SECONDS_MAX = 120.0
_POLL_SECONDS = 0.05


class StartFailedError(FlockloreError):
    """The mesh in the background ended instead of becoming ready; the exit code is its own."""


def start_in_background(
    state: Path, directories: Sequence[Path], profile: str, report: Callable[[str], None]
) -> MeshStatus:
    """Start `flocklore up` in a session of its own and return its status once every part is ready.

    AlreadyRunningError if one runs; StartFailedError if it ended; DegradedError if a part is still not ready after
    READY_SECONDS_MAX, and the mesh goes on trying.
    """
    if status := read_status(state):
        raise already_running(status, state)
    log = state / LOGS / "mesh.log"
    process = _spawn(state, directories, profile, log)
    deadline = time.monotonic() + READY_SECONDS_MAX
    told: set[str] = set()
    while time.monotonic() < deadline:
        if (code := process.poll()) is not None:
            raise _failure(code, log)
        status = read_status(state)
        if status is not None:
            _tell(status, told, report)
            if status.ready:
                return status
        time.sleep(_POLL_SECONDS)
    raise DegradedError(f"not everything is ready after {READY_SECONDS_MAX:g} s; see `flocklore status`")


def _spawn(state: Path, directories: Sequence[Path], profile: str, log: Path) -> subprocess.Popen[bytes]:
    where = [str(directory.resolve()) for directory in directories]
    with open_log(log) as output:
        return subprocess.Popen(
            module_command("mesh", "up", "--state-dir", str(state), "--profile", profile, "--", *where),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=checkout_environment(os.environ),
            start_new_session=True,
        )


def _tell(status: MeshStatus, told: set[str], report: Callable[[str], None]) -> None:
    for part in status.parts:
        line = f"{part.name} ready" if part.ready else f"{part.name} {part.last_end}, see {part.log}"
        if (part.ready or part.last_end) and line not in told:
            told.add(line)
            report(line)


def _failure(code: int, log: Path) -> FlockloreError:
    error = StartFailedError(f"it ended instead of starting; the end of {log}:\n{tail(log, 5)}")
    error.exit_code = Exit(code) if code in set(Exit) else Exit.FAILED
    return error
