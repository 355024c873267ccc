"""Two PostgreSQL servers over TCP, one of which follows the other by streaming; to be killed, paused and promoted."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from shared.embedded.accounts import server_account
from shared.embedded.children import Child
from shared.embedded.cluster import SUPERUSER, environment, program
from shared.embedded.ports import LOOPBACK, free_port
from tests.support.servers import scratch_directory
from tests.support.wait import eventually_sync

_SETTINGS = (
    "fsync = off",
    "full_page_writes = off",
    "unix_socket_directories = ''",
    "wal_retrieve_retry_interval = '100ms'",
)
_TRUSTED = "".join(f"host {what} all {LOOPBACK}/32 trust\n" for what in ("all", "replication"))
_START_SECONDS_MAX = 30
_STOP_SECONDS_MAX = 20


class Node:
    """One of the servers."""

    def __init__(self, directory: Path, port: int) -> None:
        self.data = directory / "data"
        self.port = port
        self._log = directory / "log"
        self._child: Child | None = None

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database on this server alone."""
        return f"postgresql://{SUPERUSER}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        chosen = ["-p", str(self.port), "-c", f"listen_addresses={LOOPBACK}"]
        self._child = _spawn([program("postgres"), "-D", self.data, *chosen], self._log)
        asking = [str(program("pg_isready")), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        eventually_sync(
            lambda: subprocess.run(asking, env=environment(), check=False).returncode == 0, _START_SECONDS_MAX
        )

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def stop(self) -> None:
        """Disconnect all clients and end without tidying up: what is there is thrown away."""
        if self._child is not None:
            self._child.stop(signal.SIGQUIT, _STOP_SECONDS_MAX)
            self._child = None

    def execute(self, statement: str, database: str = "postgres") -> Any:
        """Execute a statement; the first value of its first row, if it has any."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            done = connection.execute(statement.encode())
            row = done.fetchone() if done.description else None
        return row[0] if row else None

    def configure(self, name: str, value: str) -> None:
        """Change a setting of the server while it runs; a replica copied earlier keeps its own."""
        self.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.execute("SELECT pg_reload_conf()")
        eventually_sync(lambda: self.execute(f"SHOW {name}") == value)


class Pair:
    """A primary, and a replica that streams from it."""

    def __init__(self, primary: Node, replica: Node) -> None:
        self.primary = primary
        self.replica = replica

    def url(self, database: str = "postgres", more: str = "") -> str:
        """Return the URL of a database that names both servers."""
        ports = (self.primary.port, self.replica.port)
        return f"postgresql://{SUPERUSER}@{','.join(f'{LOOPBACK}:{port}' for port in ports)}/{database}{more}"

    def lose_nothing(self) -> None:
        """Have a commit wait until the replica has it."""
        self.primary.configure("synchronous_standby_names", "*")
        eventually_sync(lambda: self.primary.execute("SELECT sync_state FROM pg_stat_replication") == "sync")

    def pause(self) -> None:
        """Have the replica receive and keep, and not show, what is new."""
        self.replica.execute("SELECT pg_wal_replay_pause()")
        eventually_sync(lambda: self.replica.execute("SELECT pg_get_wal_replay_pause_state()") == "paused")

    def resume(self) -> None:
        """Have the replica show it."""
        self.replica.execute("SELECT pg_wal_replay_resume()")

    def part(self) -> None:
        """Have the replica receive nothing any more, though nobody has noticed."""
        self.replica.configure("primary_conninfo", "")
        eventually_sync(lambda: self.replica.execute("SELECT count(*) FROM pg_stat_wal_receiver") == 0)

    def await_replay(self) -> None:
        """Wait until the replica shows all that the primary has."""
        place = self.primary.execute("SELECT pg_current_wal_lsn()")
        eventually_sync(lambda: self.replica.execute(f"SELECT pg_last_wal_replay_lsn() >= '{place}'"), 20)

    def promote(self) -> None:
        """Make the replica a primary, as Patroni or a person would."""
        self.replica.execute("SELECT pg_promote()")

    def create_database(self, name: str) -> str:
        """Create an empty database on both; returns its name."""
        self.primary.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        self.await_replay()
        return name


@contextmanager
def streaming_pair(initialised: Path) -> Iterator[Pair]:
    """Start both on a copy of an initialised cluster."""
    with ExitStack() as stack:
        primary, replica = (Node(stack.enter_context(scratch_directory()), free_port(0)) for _ in range(2))
        _copy(initialised, primary.data)
        _copy(initialised, replica.data, f"primary_conninfo = 'host={LOOPBACK} port={primary.port} user={SUPERUSER}'")
        (replica.data / "standby.signal").touch()
        for node in (primary, replica):
            stack.callback(node.stop)
            node.start()
        yield Pair(primary, replica)


def _copy(initialised: Path, data: Path, *more: str) -> None:
    """Copy a cluster that was stopped cleanly: a replica can follow from there as from a base backup."""
    subprocess.run(["cp", "-a", initialised / "data", data], check=True)
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write("\n" + "\n".join([*_SETTINGS, *more]) + "\n")
    rules = data / "pg_hba.conf"
    rules.write_text(_TRUSTED + rules.read_text())


def _spawn(command: list[Any], log: Path) -> Child:
    return Child.spawn(
        [str(word) for word in command],
        log=log,
        environment=environment(),
        account=server_account().name,
        death_signal=signal.SIGINT,
    )
