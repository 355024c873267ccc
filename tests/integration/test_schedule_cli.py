"""`flocklore schedule` and `flocklore locks`, on the databases of daemons that run and of none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from mesh.locks_cli import locks
from mesh.schedule_cli import schedule
from shared import fires
from shared.commandline import run
from shared.errors import Exit
from shared.lease import Lease
from shared.locks import lock
from shared.metrics import Metrics
from shared.notices import Notices
from shared.schedule import Schedules, Task
from tests.support.databases import central_engine, instance_engine
from tests.support.lifecycle import started

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("FLOCKLORE_STATE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return database_url


def call(group: Any, arguments: Sequence[str], capsys: Capture, code: Exit = Exit.OK) -> Any:
    """Run a command with --json and return its one document."""
    assert run(group, [*arguments, "--json"], "flocklore") == code
    return msgspec.json.decode(capsys.readouterr().out)


def at_work(database_url: str, work: Callable[[AsyncEngine], Awaitable[None]]) -> None:
    """Do something with the engine of a central database."""

    async def connected() -> None:
        async with central_engine(database_url) as engine:
            await work(engine)

    asyncio.run(connected())


async def nothing(_: AsyncEngine) -> None:
    """Only have the database migrated."""


def test_schedules_of_a_hub_that_never_ran(database: str, capsys: Capture, tmp_path: Path) -> None:
    at_work(database, nothing)
    (tmp_path / "flocklore.toml").write_text('[centralcloud.schedules]\ncleanup = "0 3 * * *"\nregistry = "off"\n')
    listed = {row["name"]: row for row in call(schedule, ["list"], capsys)["schedules"]}
    assert {name: row["when"] for name, row in listed.items()} == {
        "aggregate": "3600",
        "calibration": "21600",
        "cleanup": "0 3 * * *",
        "leadership": "60",
        "registry": "on demand",
        "routing": "3600",
        "statistics": "3600",
    }
    assert not any(row["runs"] for row in listed.values())
    assert call(schedule, ["run", "cleanup"], capsys) == {"schedule": "cleanup", "state": "kept"}
    assert [row["name"] for row in call(schedule, ["list"], capsys)["schedules"] if row["is_wanted"]] == ["cleanup"]
    assert run(schedule, ["run", "unknown"], "flocklore") == Exit.NOT_FOUND
    assert "aggregate, calibration" in capsys.readouterr().err


def test_schedules_are_switched_off_and_on(database: str, capsys: Capture) -> None:
    at_work(database, nothing)
    for command, enabled in (("disable", False), ("disable", False), ("enable", True), ("enable", True)):
        assert call(schedule, [command, "aggregate"], capsys)["state"] == f"{command}d"
        (row,) = [row for row in call(schedule, ["list"], capsys)["schedules"] if row["name"] == "aggregate"]
        assert row["enabled"] is enabled


async def test_a_running_daemon_runs_what_it_is_asked_to(database: str, capsys: Capture) -> None:
    async def work() -> None:
        """Do nothing, and well."""

    async def fail() -> None:
        raise ValueError("no")

    async with instance_engine(database) as engine:
        notices, schedules = (
            Notices(engine),
            Schedules(engine, [Task("well", None, work), Task("badly", None, fail)], Metrics()),
        )
        notices.on(fires.CHANNEL, schedules.wake)
        async with started(Lease(engine, "instance", holder="a test"), notices, schedules):
            await schedules.run_now("well")
            with pytest.raises(ValueError, match="no"):
                await schedules.run_now("badly")
            said = await asyncio.to_thread(call, schedule, ["run", "well"], capsys)
            assert said == {"schedule": "well", "state": "ok"}
            assert await asyncio.to_thread(run, schedule, ["run", "badly"], "flocklore") == Exit.FAILED
            assert "badly failed: ValueError: no" in capsys.readouterr().out
        listed = (await asyncio.to_thread(call, schedule, ["list"], capsys))["schedules"]
        assert {row["name"]: (row["runs"], row["last_error"]) for row in listed if row["runs"]} == {
            "well": (2, None),
            "badly": (2, "ValueError: no"),
        }
        assert await asyncio.to_thread(run, schedule, ["list"], "flocklore") == Exit.OK
        assert "badly\t" in capsys.readouterr().out


def test_locks_are_seen_and_taken_away(database: str, capsys: Capture) -> None:
    async def hold(engine: AsyncEngine) -> None:
        async with lock(engine, "model:router") as held:
            (seen,) = (await asyncio.to_thread(call, locks, ["list"], capsys))["locks"]
            assert (seen["lock_name"], seen["epoch"]) == ("model:router", held.epoch)
            assert await asyncio.to_thread(run, locks, ["list"], "flocklore") == Exit.OK
            assert "model:router\t" in capsys.readouterr().out
            assert await asyncio.to_thread(run, locks, ["release", "model:router"], "flocklore") == Exit.RUNNING
            assert "--force" in capsys.readouterr().err
            taken = await asyncio.to_thread(call, locks, ["release", "model:router", "--force"], capsys)
            assert taken["released"]["epoch"] == held.epoch
            held.lost.clear()

    at_work(database, hold)
    assert run(locks, ["release", "model:router"], "flocklore") == Exit.NOT_FOUND
    (grant,) = call(locks, ["history", "model:router"], capsys)["grants"]
    assert grant["ended"] == "forced"
    assert call(locks, ["history", "never"], capsys) == {"grants": []}
    assert run(locks, ["history"], "flocklore") == Exit.OK
    assert "forced" in capsys.readouterr().out
