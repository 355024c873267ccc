"""What the supervisor says about itself in a file, for every other command to read."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import msgspec

from mesh.plan import CENTRALCLOUD
from shared.embedded.processes import ProcessIdentity
from shared.errors import ConfigurationError

FILE_NAME = "mesh.json"


class PartStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the mesh. Times are seconds since the epoch."""

    name: str
    process: ProcessIdentity | None
    """None while it is down."""
    since: float | None
    ready: bool
    restarts: int
    last_end: str | None
    """How its process ended the last time; None if it never did."""
    address: str | None
    log: str


class MeshStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A running mesh."""

    supervisor: ProcessIdentity
    since: float
    state: str
    parts: list[PartStatus]

    @property
    def ready(self) -> bool:
        """Whether every part does its work."""
        return all(part.ready for part in self.parts)


def dashboard(status: MeshStatus) -> str | None:
    """Where the dashboard is; None while centralcloud was never started."""
    return next((part.address for part in status.parts if part.name == CENTRALCLOUD), None)


def document(status: MeshStatus | None) -> dict[str, Any]:
    """Return what commands print with --json."""
    if status is None:
        return {"running": False}
    now = time.time()
    parts = [
        {
            "name": part.name,
            "pid": part.process.pid if part.process else None,
            "ready": part.ready,
            "uptime_seconds": round(now - part.since, 1) if part.since else None,
            "restarts": part.restarts,
            "last_end": part.last_end,
            "address": part.address,
            "log": part.log,
        }
        for part in status.parts
    ]
    return {
        "running": True,
        "ready": status.ready,
        "pid": status.supervisor.pid,
        "uptime_seconds": round(now - status.since, 1),
        "state": status.state,
        "dashboard": dashboard(status),
        "parts": parts,
    }


def write_status(state: Path, status: MeshStatus) -> None:
    """Replace the file as a whole; it is this user's alone, for addresses may hold passwords."""
    unfinished = state / f"{FILE_NAME}.unfinished"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(status))
    unfinished.replace(state / FILE_NAME)


def read_status(state: Path) -> MeshStatus | None:
    """Return the status of the mesh in this state directory; None when none runs.

    ConfigurationError when it is the mesh of another user.
    """
    try:
        status = msgspec.json.decode((state / FILE_NAME).read_bytes(), type=MeshStatus)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    except PermissionError as error:
        raise ConfigurationError(f"the mesh in {state} is another user's; ask as that user") from error
    return status if status.supervisor.alive() else None


def remove_status(state: Path) -> None:
    """Say that no mesh runs here any more."""
    (state / FILE_NAME).unlink(missing_ok=True)
