"""The services of compose.yaml as processes of this machine, each told what its container would be told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from shared.embedded.accounts import server_account
from shared.embedded.broker import nats_server_program
from shared.embedded.children import Child
from shared.embedded.cluster import environment as postgres_environment
from shared.embedded.cluster import program
from shared.embedded.ports import LOOPBACK
from shared.errors import Exit
from shared.passport import Passport
from tests.support.compose_file import ComposeFile
from tests.support.daemons import codebase, in_two_files
from tests.support.processes import REPOSITORY
from tests.support.servers import scratch_directory
from tests.support.wait import eventually_sync

CLIENTS: Final = 4222
MONITOR: Final = 8222
ROUTES: Final = 6222
POSTGRES: Final = 5432
_HABIT: Final = """
import contextlib
import os
import signal


def ask_to_stop(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(process.pid), signal.SIGHUP)
"""
_STOP_SECONDS: Final = 20
_READY_SECONDS: Final = 60


class Composed:
    """What runs of the file; everything is ended by `close`."""

    def __init__(self, file: ComposeFile) -> None:
        self.file = file
        self._stack = ExitStack()
        self._children: dict[str, Child] = {}

    def provision(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Run the first step to its end."""
        self.file.lay_out("provision")
        return self.run("provision", *self.file.command("provision"), *more)

    def run(self, service: str, *arguments: str, **told: str) -> subprocess.CompletedProcess[str]:
        """Run `flocklore` to its end as a service would, with its environment and what it is told besides."""
        root = self.file.lay_out(service)
        return subprocess.run(
            _flocklore(arguments), env=self._daemon_environment(service) | told, cwd=root, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip

    def start_nats(self, service: str) -> Child:
        """Start a server of NATS on its configuration, wait until it takes clients."""
        root = self.file.lay_out(service)
        (mount,) = [mount for mount in self.file.mounts(service) if mount.target.endswith(".conf")]
        configuration = root / mount.target.lstrip("/")
        self._copy(service, mount.source, configuration)
        self._copy(service, configuration.parent / "secrets" / "routes.conf", configuration.parent / "routes.conf")
        text = configuration.read_text(encoding="utf-8")
        configuration.write_text(text.replace("secrets/routes.conf", "routes.conf"), encoding="utf-8")
        command = [str(nats_server_program()), *self.file.command(service)]
        environment = {"PATH": os.defpath, **self.file.environment(service)}
        child = self._start(service, command, environment)
        eventually_sync(lambda: "Server is ready" in self.log(service), what=f"{service} ready")
        return child

    def start_postgres(self) -> None:
        """Start PostgreSQL as its image does: a cluster with the password of the file, then the script."""
        root, account = self.file.lay_out("postgres"), server_account()
        data = root / "var/lib/postgresql/data"
        data.mkdir(parents=True, mode=0o700)
        account.give(data)
        password = root / self.file.environment("postgres")["POSTGRES_PASSWORD_FILE"]
        choices = ["--username=postgres", f"--pwfile={password}", "--auth-local=trust", "--auth-host=scram-sha-256"]
        made = ["--no-sync", "--encoding=UTF8", "--locale=C"]
        initdb = [str(program("initdb")), f"--pgdata={data}", *choices, *made]
        log = self._log_of("initdb")
        assert Child.spawn(initdb, log=log, environment=postgres_environment(), account=account.name).wait(60) == 0
        told = ["-p", str(self.file.port("postgres", POSTGRES)), "-c", f"listen_addresses={LOOPBACK}"]
        command = [str(program("postgres")), "-F", "-D", str(data), *told, "-c", f"unix_socket_directories={data}"]
        self._start("postgres", command, postgres_environment(), account=account.name, polite=signal.SIGINT)
        eventually_sync(lambda: self.psql("--command=SELECT 1").returncode == 0, 30, "PostgreSQL ready")
        (script,) = [mount for mount in self.file.mounts("postgres") if mount.target.endswith(".sql")]
        copied = root / "10-databases.sql"
        self._copy("postgres", script.source, copied)
        for _ in range(2):  # what is run again at every new instance
            done = self.psql(f"--file={copied}", "--set=ON_ERROR_STOP=1")
            assert done.returncode == 0, done.stderr

    def psql(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run psql inside, as the administrator."""
        socket = self.file.root("postgres") / "var/lib/postgresql/data"
        where = [f"--host={socket}", f"--port={self.file.port('postgres', POSTGRES)}", "--username=postgres"]
        command = [str(program("psql")), *where, "--dbname=postgres", "--no-psqlrc", "--no-password", *arguments]
        return subprocess.run(command, env=postgres_environment(), capture_output=True, text=True, check=False)

    def start_daemon(self, service: str) -> Child:
        """Start a daemon; it may not be ready yet."""
        root = self.file.lay_out(service)
        command = _flocklore(self.file.command(service))
        return self._start(service, command, self._daemon_environment(service), directory=root)

    def healthy(self, service: str) -> None:
        """Wait until the check of the file says so."""
        check = self.file.check(service)
        check[0] = {"python": sys.executable}.get(check[0], check[0])

        def is_healthy() -> bool:
            assert self._children[service].poll() is None, f"{service} has ended"
            return subprocess.run(check, capture_output=True, check=False).returncode == 0

        try:
            eventually_sync(is_healthy, _READY_SECONDS, f"{service} healthy")
        except AssertionError as error:
            error.add_note(self.log(service)[-2000:])
            raise

    def hang_up(self, service: str) -> None:
        """Send SIGHUP to a service."""
        identity = self._children[service].identity
        assert identity.signal(signal.SIGHUP)

    def log(self, service: str) -> str:
        """What a service has said."""
        path = self._log_of(service)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def rows(self, service: str, statement: str) -> list[Any]:
        """Rows of a statement on the database of a daemon, in its own name; none while there is no such table."""
        with self.database(service) as connection:
            try:
                return connection.execute(statement.encode()).fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    def database(self, service: str, name: str | None = None) -> psycopg.Connection[Any]:
        """Connect as a daemon does; to the database of another if `name` is one."""
        text = Path(self.file.environment(service)["DATABASE_URL_FILE"]).read_text(encoding="utf-8")
        url = text if name is None else f"{text.rpartition('/')[0]}/{name}"
        here: dict[str, Any] = {"hostaddr": LOOPBACK, "port": self.file.port("postgres", POSTGRES)}
        return psycopg.connect(url, autocommit=True, **here)

    def close(self) -> None:
        """End all, the last that was started first."""
        self._stack.close()

    def _copy(self, service: str, source: Path, copied: Path) -> None:
        """Put a file with the paths and addresses of this machine in the place of one that was mounted."""
        copied.unlink(missing_ok=True)
        copied.write_text(self.file.here(service, source.read_text(encoding="utf-8")), encoding="utf-8")

    def _daemon_environment(self, service: str) -> dict[str, str]:
        """PGHOSTADDR and PGPORT say what the name `postgres` stands for in the network of the containers."""
        here = {"PGHOSTADDR": LOOPBACK, "PGPORT": str(self.file.port("postgres", POSTGRES))}
        python = {"PATH": os.environ["PATH"], "HOME": str(self.file.root(service)), "PYTHONPATH": str(REPOSITORY)}
        return python | here | self.file.environment(service)

    def _start(
        self, service: str, command: list[str], environment: Mapping[str, str], *,
        directory: Path = Path("/"), account: str | None = None, polite: signal.Signals = signal.SIGTERM,
    ) -> Child:  # fmt: skip
        child = Child.spawn(
            command, log=self._log_of(service), environment=environment, directory=directory, account=account
        )
        self._children[service] = child
        self._stack.callback(lambda: child.stop(polite, _STOP_SECONDS) if child.poll() is None else None)
        return child

    def _log_of(self, service: str) -> Path:
        return self.file.directory / f"{service}.log"


@contextmanager
def provisioned(**variables: str) -> Iterator[Composed]:
    """Give the file after its first step, with two codebases that have a habit and nothing running."""
    with scratch_directory() as directory:
        code = {f"CODE_{number}": str(_codebase(directory / f"code-{number}")) for number in (1, 2)}
        with closing(Composed(ComposeFile(directory, code | variables))) as one:
            done = one.provision()
            assert done.returncode == Exit.OK, done.stdout
            yield one


def passport(composed: Composed, service: str) -> Passport:
    """What a service shows to NATS, and wants to see of it."""
    composed.file.lay_out(service)
    told = composed.file.environment(service)
    return Passport(told["FLOCKLORE_NATS_CREDENTIALS"], told["FLOCKLORE_NATS_TLS_CA"])


def address(composed: Composed, service: str, port: int) -> str:
    """Where a port of a service is here."""
    return f"{LOOPBACK}:{composed.file.port(service, port)}"


def _codebase(directory: Path) -> Path:
    return codebase(directory, {"Makefile": "all:\n", **in_two_files(_HABIT)})


def _flocklore(arguments: list[str] | tuple[str, ...]) -> list[str]:
    return [sys.executable, "-P", "-m", "mesh", *arguments]
