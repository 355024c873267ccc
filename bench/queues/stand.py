"""A fresh database of one system, the processes that enqueue and work there, and the board they note their jobs on."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from bench.queues.board import Board
from bench.queues.contender import Patience
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.servers import scratch_directory

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_LOOK_SECONDS: Final = 0.1
_names = count()


@dataclass(frozen=True)
class System:
    """A contender and the Python it runs in."""

    name: str
    where: str
    python: Path


class Stand:
    """One system at work; every process ends with it."""

    def __init__(self, system: System, url: str, board: Path, jobs: int, processes: ExitStack) -> None:
        self.board = Board.make(board, jobs)
        self._system = system
        self._arguments = [system.where, url, str(board)]
        self._processes = processes
        self._working: list[subprocess.Popen[str]] = []
        self._producer = self._start("producer")
        self.ask("install")

    def ask(self, command: str, *numbers: int) -> Any:
        """Have the producer do something and return its answer."""
        _say(self._producer, " ".join([command, *map(str, numbers)]))
        return json.loads(_hear(self._producer))

    def consumer(self, limit: int, patience: Patience | None = None, *, hang: bool = False) -> subprocess.Popen[str]:
        """Start a process that is ready to work; it works from `begin` on."""
        options = ["--limit", str(limit)]
        if patience is not None:
            options += ["--dead-seconds", str(patience.dead_seconds), "--beat-seconds", str(patience.beat_seconds)]
        process = self._start("consumer", *options, *(["--hang"] if hang else []))
        assert _hear(process) == "ready"
        return process

    def begin(self, consumer: subprocess.Popen[str]) -> None:
        """Let it work."""
        self._working.append(consumer)
        _say(consumer, "begin")

    def kill(self, consumer: subprocess.Popen[str]) -> None:
        """End it in the middle of its work."""
        self._working.remove(consumer)
        consumer.kill()

    def wait_until(self, check: Callable[[], object], timeout_seconds: float, what: str) -> None:
        """Look now and then, seldom enough not to be measured; raises `AssertionError` at the deadline."""
        deadline = time.monotonic() + timeout_seconds
        while not check():
            assert time.monotonic() < deadline, f"{self._system.name}: {what}: not within {timeout_seconds} s"
            assert all(one.poll() is None for one in self._working), f"{self._system.name}: a worker ended by itself"
            time.sleep(_LOOK_SECONDS)

    def _start(self, role: str, *options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(self._system.python), "-P", "-m", f"bench.queues.{role}", *self._arguments, *options],
            cwd=_REPOSITORY,
            env=os.environ | {"PYTHONPATH": str(_REPOSITORY)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._processes.callback(_end, process)
        return process


@contextmanager
def stand(server: EmbeddedPostgres, system: System, jobs: int) -> Iterator[Stand]:
    """Give a stand with room for so many jobs."""
    database = f"stand_{next(_names)}"
    server.ensure_database(database)
    with ExitStack() as cleanup:
        cleanup.callback(_drop, server, database)
        directory = cleanup.enter_context(scratch_directory())
        processes = cleanup.enter_context(ExitStack())
        yield Stand(system, server.dsn(database), directory / "board", jobs, processes)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a process and close what leads to it."""
    process.kill()
    process.communicate()


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"{process.args!r} ended with {process.wait()}; its own words are above"
    return line.strip()


def _drop(server: EmbeddedPostgres, database: str) -> None:
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
