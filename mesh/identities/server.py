"""The server that runs on a directory of identities: whether it does, and telling it to read them again."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Final

from shared.embedded.broker import nats_server_program
from shared.errors import ConfigurationError

_CHECK_SECONDS: Final = 60


def reload(directory: Path) -> str:
    """Signal it; connections of whom the change is not about stay as they are."""
    configuration = directory / "nats.conf"
    pid = running(directory)
    if pid is None:
        return (
            f"no server runs on {configuration} here; start one with `nats-server -c {configuration}`, "
            "or where it runs replace auth.conf and send it SIGHUP"
        )
    os.kill(pid, signal.SIGHUP)
    return f"the server, process {pid}, was told to read it"


def running(directory: Path) -> int | None:
    """The process of a server on this very configuration; None when there is none."""
    try:
        pid = int((directory / "nats.pid").read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    # Its number may have been given to another process since.
    asked = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return pid if str(directory / "nats.conf") in asked.stdout else None


def require_valid(directory: Path) -> None:
    """Have nats-server read the configuration without running it; ConfigurationError says what it does not like."""
    command = [str(nats_server_program()), "-t", "-c", str(directory / "nats.conf")]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False)
    if checked.returncode != 0:
        raise ConfigurationError(f"nats-server refuses its configuration: {checked.stderr.strip()}")
