from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mesh import supervisor
from mesh.parts import DaemonPart, Part
from mesh.plan import DaemonPlan
from mesh.status import read_status
from mesh.supervisor import Kept, Supervisor
from shared.errors import UnreachableError
from tests.support.wait import eventually

STEADY = "touch $FLOCKLORE_READY_FILE; exec sleep 600"
POLITE = "trap 'echo $0 >> $ORDER; exit 0' TERM; touch $FLOCKLORE_READY_FILE; while :; do sleep 0.05; done"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "RESTART_SECONDS", (0.01, 0.02, 0.03))


@pytest.fixture
def part(tmp_path: Path) -> Callable[..., DaemonPart]:
    """Give a function that makes a part of a shell script."""

    def make(script: str, name: str = "part") -> DaemonPart:
        ready_file = tmp_path / "run" / f"{name}.ready"
        environment = {
            "PATH": os.defpath,
            "FLOCKLORE_READY_FILE": str(ready_file),
            "ORDER": str(tmp_path / "order"),
            "HERE": str(tmp_path),
        }
        plan = DaemonPlan(name, ("/bin/sh", "-c", script, name), environment, ready_file)
        return DaemonPart(plan, tmp_path / "logs" / f"{name}.log")

    return make


class Running:
    """A supervisor and the task it runs in."""

    def __init__(self, state: Path, *groups: list[Part]) -> None:
        self.lines: list[str] = []
        self.supervisor = Supervisor(state, groups, self.lines.append)
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(self.supervisor.run(self._stop))

    async def stop(self) -> None:
        self._stop.set()
        await self.task


async def test_a_part_that_keeps_ending_is_started_again_with_growing_pauses(
    tmp_path: Path, part: Callable[..., DaemonPart]
) -> None:
    running = Running(tmp_path, [part("exit 3")])
    await eventually(lambda: len(running.lines) >= 4)
    await running.stop()
    log = tmp_path / "logs" / "part.log"
    expected = [f"part ended with code 3; starting it again in {s} s, see {log}" for s in (0.01, 0.02, 0.03, 0.03)]
    assert running.lines[:4] == expected
    assert not running.supervisor.all_ready.is_set()


async def test_a_part_is_ready_again_only_after_it_says_so_again(
    tmp_path: Path, part: Callable[..., DaemonPart]
) -> None:
    # The second start does not say that it is ready until it may.
    script = f"[ -e $HERE/again ] && while [ ! -e $HERE/go ]; do sleep 0.02; done; touch $HERE/again; {STEADY}"
    only = part(script)
    running = Running(tmp_path, [only])
    await running.supervisor.all_ready.wait()
    assert only.child
    only.child.identity.signal(signal.SIGKILL)
    await eventually(lambda: running.supervisor.status().parts[0].restarts == 1)
    await eventually(lambda: running.supervisor.status().parts[0].process)
    assert not running.supervisor.status().ready
    (tmp_path / "go").touch()
    await eventually(lambda: running.supervisor.status().ready)
    await running.stop()


async def test_groups_are_stopped_from_the_last_to_the_first(tmp_path: Path, part: Callable[..., DaemonPart]) -> None:
    groups: list[list[Part]] = [[part(POLITE, "first")], [part(POLITE, "second")], [part(POLITE, "third")]]
    running = Running(tmp_path, *groups)
    await running.supervisor.all_ready.wait()
    assert read_status(tmp_path) == running.supervisor.status()
    await running.stop()
    assert (tmp_path / "order").read_text().split() == ["third", "second", "first"]
    assert read_status(tmp_path) is None
    assert not (tmp_path / "mesh.json").exists()


class Unwilling(DaemonPart):
    """Says at its nth start that it cannot work."""

    def __init__(self, like: DaemonPart, start_refused: int, error: Exception) -> None:
        super().__init__(like._plan, like.log)  # noqa: SLF001 - a part of its own kind
        self._starts_until_refused = start_refused
        self._error = error

    def start(self, directory: Path | None = None) -> None:
        self._starts_until_refused -= 1
        if self._starts_until_refused == 0:
            raise self._error
        super().start(directory)


async def test_what_cannot_work_at_its_first_start_ends_everything(
    tmp_path: Path, part: Callable[..., DaemonPart]
) -> None:
    steady = part(POLITE, "steady")
    running = Running(tmp_path, [steady], [Unwilling(part(STEADY), 1, UnreachableError("no"))])
    with pytest.raises(UnreachableError, match="no"):
        await running.task
    assert steady.child is None
    assert read_status(tmp_path) is None


@pytest.mark.parametrize("error", [UnreachableError("no"), OSError("no")])
async def test_what_worked_once_is_tried_again(
    tmp_path: Path, part: Callable[..., DaemonPart], error: Exception
) -> None:
    unwilling = Unwilling(part(STEADY), 2, error)
    running = Running(tmp_path, [unwilling])
    await running.supervisor.all_ready.wait()
    assert unwilling.child
    unwilling.child.identity.signal(signal.SIGTERM)
    await eventually(lambda: running.supervisor.status().parts[0].restarts == 2 and running.supervisor.status().ready)
    assert running.lines[1].startswith("part was killed by SIGTERM; starting it again in 0.01 s")
    assert running.lines[2].startswith("part did not start: no; starting it again in 0.02 s")
    await running.stop()


async def test_a_status_that_cannot_be_written_stops_nothing(tmp_path: Path, part: Callable[..., DaemonPart]) -> None:
    only = part(STEADY)
    running = Running(tmp_path, [only])
    await running.supervisor.all_ready.wait()
    (tmp_path / "mesh.json.unfinished").mkdir()
    assert only.child
    only.child.identity.signal(signal.SIGKILL)
    await eventually(lambda: running.supervisor.status().parts[0].restarts == 1 and running.supervisor.status().ready)
    assert any(line.startswith(f"cannot say in {tmp_path} what runs: ") for line in running.lines)
    await running.stop()


async def test_stopping_does_not_wait_for_the_end_of_a_pause(
    tmp_path: Path, part: Callable[..., DaemonPart], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "RESTART_SECONDS", (600.0,))
    running = Running(tmp_path, [part("exit 1")])
    await eventually(lambda: running.lines)
    await asyncio.wait_for(running.stop(), 10)


def test_pauses_start_anew_after_a_minute_of_health(part: Callable[..., DaemonPart]) -> None:
    kept = Kept(part(STEADY))
    assert [kept.ended("", ran) for ran in (0, 1, 59, 60, 1)] == [0.01, 0.02, 0.03, 0.01, 0.02]
    assert kept.restarts == 5
