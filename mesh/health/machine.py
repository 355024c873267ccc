"""Checks of this machine: Python, the servers' programs, the state directory, ports."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mesh.health.finding import Finding, error, ok, warning
from shared.config import Settings
from shared.embedded.broker import nats_server_program
from shared.embedded.cluster import environment, program
from shared.embedded.nodes import running_urls
from shared.embedded.paths import state_path
from shared.embedded.ports import free_port
from shared.embedded.sockets import socket_directory

PYTHON_MIN: Final = (3, 11)
FREE_BYTES_MIN: Final = 2 * 2**30
_VERSION_SECONDS_MAX: Final = 10


def python() -> Iterator[Finding]:
    """The Python this command runs on."""
    found = platform.python_version()
    if sys.version_info < PYTHON_MIN:
        yield error("python", f"Python {found}", "install Flocklore with Python 3.11 or later")
    else:
        yield ok("python", f"Python {found} at {sys.executable}")


def programs(settings: Settings) -> Iterator[Finding]:
    """The servers' programs from their wheels, where they are needed."""
    if not settings.nats_servers:
        yield _runs("nats_server", nats_server_program())
    if not settings.database_url:
        yield _runs("postgres", program("postgres"))


def state(settings: Settings) -> Iterator[Finding]:
    """Whether the state directory, or where it would be made, can be written, and how much space there is."""
    directory = state_path(settings.state_dir)
    present = next(parent for parent in (directory, *directory.parents) if parent.exists())
    if not os.access(present, os.W_OK | os.X_OK):
        fix = "make it yours (chown), or name another in FLOCKLORE_STATE_DIR"
        yield error("state_directory", f"{present} cannot be written", fix)
        return
    yield ok("state_directory", f"{directory} {'can be written' if present == directory else 'can be made'}")
    free_bytes = shutil.disk_usage(present).free
    detail = f"{free_bytes / 2**30:.1f} GB free"
    if free_bytes < FREE_BYTES_MIN:
        fix = f"make space in {directory}: NATS and PostgreSQL stop when it is full"
        yield warning("free_space", detail, fix)
    else:
        yield ok("free_space", detail)


def socket_path(settings: Settings) -> Iterator[Finding]:
    """Where the socket of the embedded PostgreSQL is: in the state directory, unless its path is too long."""
    if settings.database_url:
        return
    wanted = state_path(settings.state_dir) / "postgres" / "socket"
    used = socket_directory(wanted, ".s.PGSQL.5432")
    moved = f" instead of {wanted}, whose path is too long for a socket" if used != wanted else ""
    yield ok("socket_path", f"{used}{moved}")


def ports(settings: Settings) -> Iterator[Finding]:
    """Which port the embedded NATS has, or would get."""
    if settings.nats_servers:
        return
    if running := running_urls(state_path(settings.state_dir)):
        yield ok("ports", f"NATS listens at {', '.join(running)}")
        return
    port = free_port(settings.nats_port)
    if port == settings.nats_port:
        yield ok("ports", f"{port} is free for NATS")
    else:
        fix = f"nothing, if {port} suits you: `flocklore up` takes it; else set NATS_PORT"
        yield warning("ports", f"{settings.nats_port} is taken by another program", fix)


def _runs(check: str, path: Path) -> Finding:
    """Whether a program says its version."""
    try:
        done = subprocess.run(
            [path, "--version"], env=environment(), capture_output=True, timeout=_VERSION_SECONDS_MAX, check=True
        )
    except (OSError, subprocess.SubprocessError) as failure:
        return error(check, f"{path} does not run: {failure}", "install flocklore anew in a fresh environment")
    return ok(check, done.stdout.decode("utf-8", "replace").strip())
