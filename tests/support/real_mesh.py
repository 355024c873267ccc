"""The whole product as a user runs it: `flocklore` and the daemons as processes, on repositories made for them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from shared.embedded.attach import embedded_postgres_directory
from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.daemons import codebase
from tests.support.mesh import Mesh
from tests.support.processes import REPOSITORY
from tests.support.servers import copied_postgres
from tests.support.wait import eventually_sync

_SETTINGS: Final = """\
[instance.schedules]
pattern_mining = "1"
"""
"""What an instance does every hour it does every second or two here."""

_GIT: Final = ("git", "-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "init.defaultBranch=main")


class RealMesh(Mesh):
    """A mesh of the real daemons."""

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return an environment with nothing but what names this mesh."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.state),
            "NATS_PORT": "25222",
            "PYTHONPATH": str(REPOSITORY),
            "FLOCKLORE_STATE_DIR": str(self.state),
            **(more or {}),
        }

    def command(self, name: object, *arguments: object) -> list[str]:
        """Return the command line of a subcommand; the state directory is in the environment."""
        return [sys.executable, "-P", "-m", "mesh", str(name), *map(str, arguments)]

    def ask(self, *arguments: object) -> Any:
        """Run a command with --json, which must work, and return its one document."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def nats_url(self) -> str:
        """Where the embedded NATS listens."""
        return EmbeddedNats(self.state / "nats").url

    @property
    def postgres(self) -> EmbeddedPostgres:
        """The embedded PostgreSQL, as somebody who did not start it sees it."""
        return EmbeddedPostgres(embedded_postgres_directory(self.state))

    def rows(self, database: str, statement: str, *values: object) -> list[dict[str, Any]]:
        """Rows of a statement; none while the server or the table is not there."""
        try:
            with psycopg.connect(self.postgres.dsn(database), autocommit=True, row_factory=dict_row) as connection:
                return connection.execute(statement.encode(), values).fetchall()
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return []

    def value(self, database: str, statement: str, *values: object) -> Any:
        """The one value of a statement; None while there is none."""
        rows = self.rows(database, statement, *values)
        return next(iter(rows[0].values())) if rows else None

    def reaches(self, database: str, statement: str, *values: object, timeout_seconds: float = 60.0) -> Any:
        """Wait until a statement gives something true and return it."""
        return eventually_sync(lambda: self.value(database, statement, *values), timeout_seconds, what=statement)


@contextmanager
def real_mesh(state: Path, initialised: Path | None = None) -> Iterator[RealMesh]:
    """Give a mesh that does not run yet, impatient, its PostgreSQL already made if one is given to copy."""
    (state / "flocklore.toml").write_text(_SETTINGS, encoding="utf-8")
    if initialised is not None:
        copied_postgres(initialised, state / "postgres")
    mesh = RealMesh(state)
    yield mesh
    if status := mesh.status():
        status.supervisor.signal(signal.SIGKILL)
    eventually_sync(mesh.all_gone, 60.0, "everything gone")


@contextmanager
def daemon(module: str, environment: Mapping[str, str], directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a daemon as a process of its own; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module, "run"],
        env={"PATH": os.environ["PATH"], "HOME": str(directory), "PYTHONPATH": str(REPOSITORY), **environment},
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def repository(directory: Path, files: Mapping[str, str]) -> Path:
    """Make a git repository of files."""
    codebase(directory, files)
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", directory.name)):
        subprocess.run([*_GIT, *arguments], cwd=directory, check=True)
    return directory
