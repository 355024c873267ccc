"""A daemon as a process: readiness, signals, exit codes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY
from tests.support.wait import eventually_sync

DAEMON = """
import asyncio, sys
from contextlib import asynccontextmanager
from shared import log
from shared.errors import ConfigurationError
from shared.runner import run_daemon
from shared.service import Service

class Work(Service):
    name = "work"
    async def open(self):
        {open}
    async def run(self):
        {run}
    async def close(self):
        {close}

@asynccontextmanager
async def build():
    yield [Work()]

log.configure(form="json")
sys.exit(run_daemon(build, ready_file=sys.argv[1]))
"""
FOREVER = "await asyncio.Event().wait()"


def daemon(ready: Path, *, open: str = "pass", run: str = FOREVER, close: str = "pass") -> subprocess.Popen[str]:  # noqa: A002
    script = DAEMON.format(open=open, run=run, close=close)
    return subprocess.Popen(
        [sys.executable, "-c", script, str(ready)], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready"
    with daemon(ready, close="print('closed', file=sys.stderr)") as process:
        eventually_sync(ready.exists)
        process.send_signal(number)
        _, said = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "closed" in said
    assert not ready.exists()


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with daemon(ready, close="print('closing', file=sys.stderr, flush=True); await asyncio.Event().wait()") as process:
        eventually_sync(ready.exists)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        while "closing" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("run", "code", "said"),
    [
        ("raise ConfigurationError('nats_url: say it')", 78, "nats_url: say it"),
        ("raise ValueError('unforeseen')", 70, "please report it"),
        ("pass", 70, "ended by itself"),
    ],
)
def test_what_ends_it_is_its_exit_code(tmp_path: Path, run: str, code: int, said: str) -> None:
    with daemon(tmp_path / "ready", run=run) as process:
        _, errors = process.communicate(timeout=10)
    assert process.returncode == code
    assert said in errors
