"""Real servers for tests: PostgreSQL from an initialised cluster kept between runs, NATS, and databases in them."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from shared.embedded.postgres import EmbeddedPostgres

# What the tests lose in a power cut they can make again.
_FAST = ("fsync = off", "synchronous_commit = on", "full_page_writes = off")


_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 * 2**30


@contextmanager
def scratch_directory(parent: Path | None = None) -> Iterator[Path]:
    """Give a directory that PostgreSQL's account can reach also when the tests run as root (pytest's are closed)."""
    path = Path(tempfile.mkdtemp(prefix="flocklore-test-", dir=parent))
    path.chmod(0o755 if os.geteuid() == 0 else 0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def quick_place() -> Path | None:
    """Where a database of a test is made and dropped three times as fast as on a disk; None without the room for it."""
    try:
        has_room = shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES and os.access(_MEMORY, os.W_OK)
    except OSError:
        return None
    return _MEMORY if has_room and "TMPDIR" not in os.environ else None


def initialised_cluster(cache: Path) -> Path:
    """Return a directory with a PostgreSQL cluster that was started once and stopped; made on the first call."""
    source = cache / "initialised"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (source / "complete").exists():
            shutil.rmtree(source, ignore_errors=True)
            first = EmbeddedPostgres(source)
            first.start()
            first.stop()
            (source / "complete").touch()
    return source


def copied_postgres(initialised: Path, directory: Path) -> EmbeddedPostgres:
    """Return a server, not started, on a copy of an initialised cluster: quicker to make than by initdb."""
    directory.mkdir(mode=0o755)
    subprocess.run(["cp", "-a", initialised / "data", directory / "data"], check=True)
    with (directory / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write("\n" + "\n".join(_FAST) + "\n")
    return EmbeddedPostgres(directory)


class Databases:
    """Makes and drops databases on one server."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._admin = psycopg.connect(server.dsn("postgres"), autocommit=True)
        self._made: list[str] = []

    def create(self) -> str:
        """Create an empty database and return its URL."""
        name = f"test_{secrets.token_hex(6)}"
        self._admin.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        self._made.append(name)
        return self._server.dsn(name)

    def drop(self) -> None:
        """Drop every database made since the last time, whoever is connected."""
        while self._made:
            self._admin.execute(f"DROP DATABASE {self._made.pop()} WITH (FORCE)")

    def close(self) -> None:
        """Leave the server."""
        self._admin.close()
