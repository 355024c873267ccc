"""A real PostgreSQL of this machine's own, reachable through a private unix socket only."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from shared.embedded.accounts import Account, server_account
from shared.embedded.children import Child
from shared.embedded.claim import Claim, claimed
from shared.embedded.cluster import SUPERUSER, environment, program, require_data
from shared.embedded.databases import create_missing
from shared.embedded.logfiles import tail
from shared.embedded.paths import make_directory
from shared.embedded.sockets import require_private, socket_directory
from shared.errors import ConfigurationError, UnreachableError

START_SECONDS = 60.0
STOP_SECONDS = 20.0
_PORT = 5432
_POLL_SECONDS = 0.03
_PROBE_SECONDS = 1


class EmbeddedPostgres:
    """PostgreSQL from its wheel with its data under `directory`.

    The process that calls `start` owns the server and restarts it by calling `start` again; every other process
    may use `running`, `ready`, `dsn` and `ensure_database` on the same directory.
    """

    def __init__(self, directory: Path, *, log: Path | None = None) -> None:
        self.directory = directory.absolute()
        self.log = log or self.directory / "postgres.log"
        self._data = self.directory / "data"
        self._claim = self.directory / "claim"
        self._sockets = socket_directory(self.directory / "socket", f".s.PGSQL.{_PORT}")
        self._child: Child | None = None

    @property
    def child(self) -> Child | None:
        """The server process, if this object started it."""
        return self._child

    def dsn(self, database: str) -> str:
        """Return the libpq URL of a database; with `postgresql+psycopg:` in front SQLAlchemy takes it as well."""
        return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self._sockets))}&port={_PORT}"

    def running(self) -> bool:
        """Tell whether a server runs on this directory, whoever started it, even if it is not ready yet."""
        return claimed(self._claim)

    def ready(self) -> bool:
        """Tell whether the server answers clients."""
        asking = [str(program("pg_isready")), "--quiet", "--timeout", str(_PROBE_SECONDS)]
        where = {"PGHOST": str(self._sockets), "PGPORT": str(_PORT), "PGUSER": SUPERUSER, "PGDATABASE": "postgres"}
        return subprocess.run(asking, env=environment() | where, check=False).returncode == 0

    def start(self, timeout_seconds: float = START_SECONDS) -> None:
        """Start the server and wait until it answers; the first time its data directory is made.

        AlreadyRunningError when somebody runs it, ConfigurationError when it cannot work as it is set up,
        UnreachableError when it does not answer in time.
        """
        deadline = time.monotonic() + timeout_seconds
        make_directory(self.directory)
        account = self._checked_account()
        claim = Claim.take(self._claim, timeout_seconds)
        try:
            require_data(self._data, account, self.log, claim.descriptor)
            require_private(self._sockets, account)
            self._child = self._spawn(account, claim)
            claim.record(self._child.identity)
        finally:
            claim.close()
        self._await_ready(self._child, deadline)

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """Disconnect all clients and shut down cleanly; killed (and recovered at the next start) if that takes long."""
        if self._child is not None:
            # SIGTERM would wait for the clients to leave.
            self._child.stop(signal.SIGINT, timeout_seconds)
            self._child = None
            with contextlib.suppress(OSError):
                self._sockets.rmdir()

    def ensure_database(self, *names: str) -> None:
        """Create the databases that do not exist yet; names are lower-case letters, digits and underscores."""
        create_missing(self.dsn("postgres"), names)

    def _checked_account(self) -> Account:
        account = server_account()
        for needed, cure in (
            (program("postgres"), "install flocklore where every user may read it"),
            (self.directory, "choose another --state-dir"),
        ):
            if closed := account.closed_parent(needed):
                raise ConfigurationError(
                    f"user {account.name or account.user_id}, who runs PostgreSQL, may not pass {closed} "
                    f"to reach {needed}: {cure}, run flocklore as a plain user, or set DATABASE_URL"
                )
        return account

    def _spawn(self, account: Account, claim: Claim) -> Child:
        settings = {
            "listen_addresses": "",
            "port": str(_PORT),
            "unix_socket_directories": '"' + str(self._sockets).replace('"', '""') + '"',
            "logging_collector": "off",
        }
        chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Child.spawn(
            [str(program("postgres")), "-D", str(self._data), *chosen],
            log=self.log,
            environment=environment() | self._stale_pid(),
            account=account.name,
            death_signal=signal.SIGINT,
            inherited=[claim.descriptor],
        )

    def _stale_pid(self) -> dict[str, str]:
        """Tell PostgreSQL that the pid left behind is not a server: holding the claim we know, it would only guess.

        Its own check of the shared memory that a server on this directory would use stays in force.
        """
        left = self._recorded_pid()
        return {"PG_GRANDPARENT_PID": left} if left else {}

    def _recorded_pid(self) -> str:
        try:
            return (self._data / "postmaster.pid").read_text(encoding="utf-8").partition("\n")[0].strip()
        except FileNotFoundError:
            return ""

    def _await_ready(self, child: Child, deadline: float) -> None:
        # An answer alone could be that of a server somebody started by hand on the same data.
        while not (self._recorded_pid() == str(child.pid) and self.ready()):
            if (code := child.poll()) is not None:
                self._child = None
                raise UnreachableError(
                    f"PostgreSQL ended with code {code} instead of starting; "
                    f"the end of {self.log}:\n{tail(self.log, 5)}"
                )
            if time.monotonic() > deadline:
                self.stop()
                raise UnreachableError(f"PostgreSQL does not answer; see {self.log}")
            time.sleep(_POLL_SECONDS)
