"""How long `flocklore up` takes until everything is ready, and how soon every instance has the first insight.

Three instances study the standard library and the two largest packages of this environment, as `flocklore up` without
directories does; the first insight is timed in the first chapters of `flocklore demo`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Final

from bench.report import print_expectation, print_machine
from mesh.demo.stage import stage
from mesh.demo.story import FIRST_INSIGHT_SECONDS_MAX, Story
from mesh.discovery import installed_workspaces
from mesh.status import read_status
from tests.support.servers import scratch_directory
from tests.support.wait import eventually_sync

ROUNDS: Final = 3
READY_SECONDS_MAX: Final = 120.0
STOP_SECONDS_MAX: Final = 60.0
PARTS: Final = 6
"""NATS, PostgreSQL, centralcloud and three instances."""


def main() -> None:
    """Print the times."""
    print_machine()
    fresh: list[float] = []
    warm: list[float] = []
    for _ in range(ROUNDS):
        with scratch_directory() as directory:
            fresh.append(_start(directory))
            warm.append(_start(directory))
    print(f"{'up until all is ready':24} {'median s':>9} {'min':>6} {'max':>6}")
    for name, rounds in (("fresh state directory", fresh), ("warm state directory", warm)):
        print(f"{name:24} {median(rounds):9.1f} {min(rounds):6.1f} {max(rounds):6.1f}")
    seconds = _first_insight()
    print_expectation(
        f"first insight in every instance {seconds:.1f} s after the servers are ready,"
        f" expected <= {FIRST_INSIGHT_SECONDS_MAX:g} s",
        met=seconds <= FIRST_INSIGHT_SECONDS_MAX,
    )


def _start(state: Path) -> float:
    """Start the mesh, wait until it is ready, stop it; returns the seconds until it was ready."""
    started_at = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "mesh", "up", "--state-dir", str(state)],
        cwd=state,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        eventually_sync(lambda: _ready(state, process), READY_SECONDS_MAX, what="everything ready")
        return time.perf_counter() - started_at
    finally:
        _stop(process)


def _ready(state: Path, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, f"`flocklore up` ended with {process.returncode}; run it by hand to see why"
    status = read_status(state)
    return status is not None and status.ready and len(status.parts) == PARTS


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS_MAX)
    finally:
        process.kill()  # its children die with it


def _environment() -> dict[str, str]:
    """Return an environment in which every server is the mesh's own, whatever else runs here."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "NATS_URL", "NATS_HOST")}
    return kept | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def _first_insight() -> float:
    codebases = [(workspace.suggested, workspace.directory) for workspace in installed_workspaces(libraries=3)]
    with stage(keep=False) as made:
        _, first_insights = [chapter() for chapter in islice(Story(made, codebases).chapters(), 2)]
    seconds = first_insights.numbers["seconds_after_ready"]
    assert all(first_insights.numbers["insights"].values())
    assert isinstance(seconds, float)
    return seconds
