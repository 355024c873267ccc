"""What the story is played on: servers, centralcloud and instances, each started and stopped at will."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg

from mesh.parts import DaemonPart
from mesh.plan import CENTRALCLOUD, Addresses, Instance, plan_daemons
from shared.embedded.nats import EmbeddedNats
from shared.embedded.paths import make_directory
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import TransientError

POLL_SECONDS: Final = 0.1
_SETTINGS: Final = """\
# Everything an instance does every few minutes, it does every few seconds here.
[instance.schedules]
pattern_mining = "2"
"""


@dataclass(frozen=True)
class Actor:
    """One instance of the story; it studies a codebase and a notebook the story writes into."""

    instance: Instance
    notebook: Path


class Stage:
    """Servers and daemons of one performance; everything is gone when it is over."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.nats = EmbeddedNats(directory / "nats", port=0)
        self.postgres = EmbeddedPostgres(directory / "postgres")
        self._daemons: dict[str, DaemonPart] = {}

    def actor(self, name: str, codebase: Path) -> Actor:
        """Prepare an instance that studies `codebase`; it does not run yet."""
        notebook = self.directory / "notebooks" / name
        make_directory(notebook)
        return Actor(Instance(name, codebase), notebook)

    def start_servers(self, actors: Sequence[Actor]) -> None:
        """Start NATS and PostgreSQL, and make the databases."""
        self.nats.start()
        self.postgres.start()
        self.postgres.ensure_database(CENTRALCLOUD, *(actor.instance.database for actor in actors))

    def start_centralcloud(self) -> None:
        """Start the hub."""
        self._start(CENTRALCLOUD, [])

    def start(self, actor: Actor) -> None:
        """Start an instance."""
        self._start(actor.instance.name, [actor])

    def _start(self, name: str, actors: Sequence[Actor]) -> None:
        addresses = Addresses(self.directory, self.nats.url, self.postgres.dsn)
        plans = {plan.name: plan for plan in plan_daemons([actor.instance for actor in actors], addresses, os.environ)}
        plan = plans[name]
        environment = dict(plan.environment)
        for actor in actors:
            environment["FLOCKLORE_WORKSPACE"] = os.pathsep.join([str(actor.instance.directory), str(actor.notebook)])
        part = DaemonPart(replace(plan, environment=environment), self.directory / "logs" / f"{name}.log")
        part.start(directory=self.directory)
        self._daemons[name] = part

    def kill_nats(self) -> None:
        """End NATS as a power cut would."""
        if self.nats.child is not None:
            self.nats.child.kill()

    def stop(self) -> None:
        """Stop everything, daemons first."""
        for part in reversed(self._daemons.values()):
            part.stop()
        self.nats.stop()
        self.postgres.stop()

    def ask(self, database: str, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a statement; none while the database or its tables are not there yet."""
        try:
            with psycopg.connect(self.postgres.dsn(database), autocommit=True) as connection:
                return connection.execute(statement, values).fetchall()
        except psycopg.errors.UndefinedTable:
            return []

    def number(self, database: str, statement: LiteralString, *values: object) -> int:
        """The one number of a statement; 0 while there is none."""
        rows = self.ask(database, statement, *values)
        return int(rows[0][0] or 0) if rows else 0


def wait_for(what: str, check: Callable[[], object], timeout_seconds: float) -> float:
    """Wait until `check` is true; returns the seconds it took, raises `TransientError` after `timeout_seconds`."""
    started = time.monotonic()
    while not check():
        if time.monotonic() - started > timeout_seconds:
            raise TransientError(f"{what}: not within {timeout_seconds:g} s; the logs are kept, try again with --keep")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started


@contextmanager
def stage(*, keep: bool) -> Iterator[Stage]:
    """Give a stage in a directory of its own, removed afterwards unless it is to be kept."""
    directory = Path(tempfile.mkdtemp(prefix="flocklore-demo-"))
    if os.geteuid() == 0:
        directory.chmod(0o755)  # PostgreSQL runs under another account then
    (directory / "flocklore.toml").write_text(_SETTINGS, encoding="utf-8")
    with ExitStack() as stack:
        if not keep:
            stack.callback(shutil.rmtree, directory, ignore_errors=True)
        made = Stage(directory)
        stack.callback(made.stop)
        yield made
