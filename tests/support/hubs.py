"""Hubs as processes of their own on one database, to be killed and frozen; and small leaders that only write."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from psycopg.rows import TupleRow

from tests.support.processes import python
from tests.support.real_mesh import daemon
from tests.support.wait import eventually_sync

LEADER = "orchestrator:leader"

WRITER = """
    import asyncio, sys
    from sqlalchemy import text
    from shared import log
    from shared.database import connect_engine, transaction
    from shared.errors import TransientError
    from shared.leader import Leadership
    from shared.metrics import Metrics
    from shared.service import Service

    url, name, ttl, check = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])

    class Writer(Service):
        name = "writer"

        def __init__(self, leadership):
            super().__init__()
            self.leadership = leadership

        async def run(self):
            number = 0
            while True:
                number += 1
                said = {"name": f"{self.leadership.epoch} {name} {number}"}
                try:
                    async with transaction(self.leadership.engine) as connection:
                        await connection.execute(text("INSERT INTO schedules_disabled VALUES (:name)"), said)
                        await asyncio.sleep(0.005)
                except TransientError as error:
                    print("refused", error, flush=True)
                await asyncio.sleep(0.005)

    async def main():
        engine = connect_engine(url, application=name)
        leadership = Leadership(
            engine, "orchestrator:leader", Metrics(), candidate=name, ttl_seconds=ttl, check_seconds=check
        )
        leadership.lead(Writer(leadership))
        await leadership.start()
        print("ready", flush=True)
        await leadership.wait()

    log.configure(level="error")
    asyncio.run(main())
"""
"""A candidate that, while it leads, writes rows named after its epoch without end."""

WRITTEN_TOO_LATE = """
    SELECT w.name, w.disabled_at - later.acquired_at
      FROM schedules_disabled w
      JOIN lock_history later ON later.epoch > CAST(split_part(w.name, ' ', 1) AS bigint)
     WHERE later.lock_name = 'orchestrator:leader' AND w.disabled_at > later.acquired_at
"""
"""Rows that somebody wrote when another had been granted the lead already."""


class Hubs:
    """Processes on one database, by name."""

    def __init__(self, stack: ExitStack, database_url: str) -> None:
        self.database_url = database_url
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self._stack = stack

    def start_writer(self, name: str, *, ttl_seconds: float, check_seconds: float) -> None:
        """Run a candidate that writes while it leads."""
        arguments = (self.database_url, name, ttl_seconds, check_seconds)
        self.processes[name] = self._stack.enter_context(python(WRITER, *arguments))

    def start_hub(self, name: str, directory: Path, environment: Mapping[str, str]) -> None:
        """Run a centralcloud, and wait until it is ready."""
        ready = directory / f"{name}.ready"
        ready.unlink(missing_ok=True)  # of one that was killed
        told = {"DATABASE_URL": self.database_url, "WORKER_ID": name, "FLOCKLORE_READY_FILE": str(ready), **environment}
        self.processes[name] = self._stack.enter_context(daemon("centralcloud", told, directory))
        eventually_sync(ready.exists, 30, what=f"{name} ready")

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one."""
        os.kill(self.processes[name].pid, number)

    def kill(self, name: str) -> None:
        """End one at once."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def rows(self, statement: str) -> list[TupleRow]:
        """Rows of a statement on their database."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def leader(self) -> str | None:
        """Name of the one that leads."""
        found = self.rows(
            "SELECT split_part(c.lock_name, ':', 3)"
            "  FROM distributed_locks l JOIN distributed_locks c USING (instance_id)"
            " WHERE l.lock_name = 'orchestrator:leader' AND l.expires_at > clock_timestamp()"
            "   AND c.lock_name LIKE 'orchestrator:candidate:%'"
        )
        return found[0][0] if found else None

    def leads(self, *names: str, timeout_seconds: float = 20.0) -> str:
        """Wait until one of these leads and return which."""
        return (
            eventually_sync(
                lambda: found if (found := self.leader()) in names else None, timeout_seconds, what=f"{names} leads"
            )
            or ""
        )

    def writes(self, name: str, rows: int = 1) -> None:
        """Wait until a writer has written some more."""
        least = self.written(name) + rows
        eventually_sync(lambda: self.written(name) >= least, what=f"{name} writes")

    def written(self, name: str) -> int:
        """How many rows a writer has written."""
        count: int = self.rows(f"SELECT count(*) FROM schedules_disabled WHERE name LIKE '% {name} %'")[0][0]  # noqa: S608
        return count


@contextmanager
def hubs(database_url: str) -> Iterator[Hubs]:
    """Give processes on a database with the newest schema; all are killed at the end."""
    with ExitStack() as stack:
        yield Hubs(stack, database_url)
