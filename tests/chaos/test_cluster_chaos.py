"""Every process of a mesh of three NATS servers and two hubs ends in turn while all learn, then all start anew."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from shared.embedded.nodes import NODES
from tests.chaos.verdict import count, judge
from tests.support.clustered import INSTANCES, PARTS, Asking, Clustered, Offering, asking, longest_gap, offering
from tests.support.daemons import in_two_files
from tests.support.real_mesh import RealMesh, real_mesh, repository
from tests.support.servers import scratch_directory
from tests.support.wait import eventually

pytestmark = pytest.mark.chaos

CALM_SECONDS: Final = 20.0
"""So long nothing is done to it first, to see what is usual."""

FROZEN_SECONDS: Final = 10.0
COMMIT_GAP_SECONDS_MAX: Final = 60.0
ANSWER_GAP_SECONDS_MAX: Final = 30.0

ROLLING: Final = (*reversed(NODES), "centralcloud-standby", "centralcloud", *PARTS[6:], "postgres")
"""Servers one after another, the standby before the primary, who uses both after them."""

LEARN = """
import json


def show(rows):
    return [json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows]
"""


@dataclass
class Window:
    """What was done, and from when to when it was felt."""

    what: str
    begin: float
    end: float = 0.0


@dataclass
class Watched:
    """A mesh under load, and what was done to it."""

    clustered: Clustered
    offered: Offering
    asked: Asking
    windows: list[Window] = field(default_factory=list)

    async def calm(self, seconds: float) -> None:
        """Do nothing, to see what is usual."""
        window = Window("nothing", time.time())
        await asyncio.sleep(seconds)
        window.end = time.time()
        self.windows.append(window)

    async def end(self, name: str, number: signal.Signals) -> None:
        """End a part and wait until it is back and all is as before."""
        window = Window(f"{number.name} {name}", time.time())
        await self.clustered.back(self.clustered.send(name, number))
        await self._as_before(window)

    async def freeze_two(self) -> None:
        """Have two of three NATS servers stand still: the third can do nothing alone."""
        window = Window(f"SIGSTOP two servers for {FROZEN_SECONDS:g} s", time.time())
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for name in NODES[1:]:
                self.clustered.send(name, number)
            if number == signal.SIGSTOP:
                await asyncio.sleep(FROZEN_SECONDS)
        await self._as_before(window)

    async def end_all(self, directories: list[Path]) -> None:
        """Kill the supervisor, with which all ends, and start everything again."""
        window = Window("SIGKILL everything", time.time())
        mesh = self.clustered.mesh
        status = mesh.status()
        assert status is not None
        assert status.supervisor.signal(signal.SIGKILL)
        await eventually(mesh.all_gone, what="everything gone")
        await asyncio.to_thread(up, mesh, directories)
        await self._as_before(window)

    async def _as_before(self, window: Window) -> None:
        """Wait until servers are in step and every instance is heard."""
        await self.clustered.in_step()
        await self.clustered.heard_from_all(time.time())
        window.end = time.time()
        self.windows.append(window)

    def lines(self) -> list[tuple[str, float, float, float]]:
        """What, for how long, the longest time without a commit, the longest without an answer; in seconds."""
        commits = self.clustered.commits()
        return [
            (
                one.what,
                one.end - one.begin,
                longest_gap(commits, one.begin, one.end),
                longest_gap(self.asked.answered, one.begin, one.end),
            )
            for one in self.windows
        ]


@pytest.fixture
def directories(tmp_path: Path) -> list[Path]:
    return [repository(tmp_path / name, in_two_files(LEARN)) for name in INSTANCES]


@pytest.fixture
def clustered(initialised: Path, directories: list[Path]) -> Iterator[Clustered]:
    with scratch_directory() as state, real_mesh(state, initialised) as mesh:
        up(mesh, directories)
        yield Clustered(mesh)
        mesh.run("down")


async def test_any_one_process_may_end_and_all_in_turn(clustered: Clustered, directories: list[Path]) -> None:
    urls = [clustered.part(node).address or "" for node in NODES]
    await clustered.in_step()
    async with offering(clustered, seed=3) as offered, asking(urls) as asked:
        watched = Watched(clustered, offered, asked)
        await clustered.heard_from_all(time.time())
        await watched.calm(CALM_SECONDS)
        for name in PARTS:
            await watched.end(name, signal.SIGKILL)
        for name in ROLLING:
            await watched.end(name, signal.SIGINT if name == "postgres" else signal.SIGTERM)
        await watched.freeze_two()
        await watched.end_all(directories)
    await clustered.settled()
    verdict = judge(clustered.hub_url, clustered.databases)
    lines = watched.lines()
    report(lines, offered.events, verdict.lost, verdict.double)
    assert (verdict.lost, verdict.double) == (0, 0)
    assert verdict.standing > 0
    assert count(clustered.hub_url, "SELECT count(*) FROM dead_letters") == 0
    assert max(line[2] for line in lines) < COMMIT_GAP_SECONDS_MAX
    assert max(line[3] for line in lines) < ANSWER_GAP_SECONDS_MAX


def up(mesh: RealMesh, directories: list[Path]) -> None:
    done = mesh.run("up", "--profile", "cluster", "--detach", *directories)
    assert done.returncode == 0, done.stderr


def report(lines: list[tuple[str, float, float, float]], events: int, lost: int, double: int) -> None:
    shown = ["| ended | felt for s | longest without a commit s | without an answer s |", "|---|---:|---:|---:|"]
    shown += [f"| {what} | {felt:.1f} | {commit:.1f} | {answer:.1f} |" for what, felt, commit, answer in lines]
    print(*shown, f"{events} events, lost {lost}, double {double}", sep="\n")  # noqa: T201 - what a long run is for
