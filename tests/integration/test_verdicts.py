"""What verifiers say of attempts, from the command line to the advice."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.cli.recording import run
from instance.cli.results import results
from instance.recording.labelling import label_from_git
from instance.routing import known, task_of
from instance.sync.results import say_results
from shared.database import transaction
from shared.errors import Exit
from tests.support.commands import alone, invoked, of_ann
from tests.support.processes import REPOSITORY
from tests.support.routed import advice

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "init.defaultBranch=main")
CI = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_EVENT_PATH")


@pytest.fixture(autouse=True)
def _alone(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with alone(database_url, tmp_path, monkeypatch, *CI):
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        yield


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with of_ann(database_url) as engine:
        yield engine


async def ran(*arguments: str) -> int:
    """Run `flocklore run` as a process, since it takes the signals, and return its exit code."""
    command = [sys.executable, "-m", "mesh", "run", *arguments]
    return (
        await asyncio.to_thread(subprocess.run, command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
    ).returncode


async def recorded(*arguments: str) -> None:
    done = await invoked(results, "record", "--type", "fix", "--duration-ms", "1000", *arguments)
    assert done.exit_code == Exit.OK, done.output


async def rows(engine: AsyncEngine) -> list[tuple[str, str, str]]:
    statement = text("SELECT job_type, model_used, status FROM job_results ORDER BY completed_at, job_type")
    async with engine.connect() as connection:
        return [(row[0], row[1], row[2]) for row in await connection.execute(statement)]


async def false_acceptance(engine: AsyncEngine) -> float:
    """How often `tests` accept what is wrong, as far as is known."""
    await say_results(engine)
    async with transaction(engine) as connection:
        found = await known(connection, task_of("fix", {}, "tests"), datetime.now(UTC).date())
    return found.verifier.false_acceptance.mean


async def test_the_plan_is_learned_from_what_was_recorded_of_each_stage(engine: AsyncEngine) -> None:
    small, large = ("--model", "small", "--cost-cents", "1"), ("--model", "large", "--cost-cents", "20")
    judged = ("--verifier", "tests", "--verdict")
    for number in range(12):
        await recorded(*large, "--status", "success" if number else "failed")
    assert (await advice(engine, success_min=0.7, verifier="tests", incumbent="large")).plan == ("large",)
    for job in range(16):
        first = "rejected" if job % 2 else "accepted"
        await recorded(*small, *judged, first, "--job", str(job))
        if first == "rejected":
            await recorded(*large, *judged, "accepted", "--job", str(job), "--context", "after=small")
    unknown = await false_acceptance(engine)
    assert unknown < 0.1, "eight rejections, and nothing wrong that was accepted"
    for job in range(16):
        assert (await invoked(results, "label", "--job", str(job), "--status", "success")).exit_code == Exit.OK
    assert await false_acceptance(engine) == pytest.approx(unknown), "rejected attempts stay what they are"
    told = await advice(engine, success_min=0.7, verifier="tests")
    assert told.plan == ("small", "large")
    for job in range(0, 16, 2):
        assert (await invoked(results, "label", "--job", str(job), "--status", "failed")).exit_code == Exit.OK
    assert await false_acceptance(engine) > 0.3
    assert (await advice(engine, success_min=0.7, verifier="tests")).plan == ("large",)


async def test_a_verdict_is_a_result_of_its_own_kind(engine: AsyncEngine) -> None:
    await recorded("--model", "small", "--verifier", "tests", "--verdict", "rejected")
    await recorded("--model", "small", "--verifier", "tests", "--verdict", "accepted")
    await recorded("--model", "small", "--verifier", "tests", "--verdict", "rejected", "--status", "success")
    assert await rows(engine) == [
        ("fix", "small", "failed"), ("verifier.tests.rejected", "small", "unlabelled"),
        ("fix", "small", "unlabelled"), ("verifier.tests", "small", "unlabelled"),
        ("fix", "small", "success"), ("verifier.tests.rejected", "small", "success"),
    ]  # fmt: skip


async def test_running_a_verifier_records_what_it_said(engine: AsyncEngine) -> None:
    for program, code in (("true", 0), ("false", 1)):
        assert await ran("--verifier", "tests", "--model", "small", "--job", "7", "--", program) == code
    assert await rows(engine) == [
        ("verifier.tests", "small", "unlabelled"), ("verifier.tests.rejected", "small", "unlabelled"),
    ]  # fmt: skip
    labelled = await invoked(results, "label", "--job", "7", "--status", "success")
    assert "1 of 1" in labelled.output, "what is said of a job is said of what it delivered"


async def test_the_commit_below_work_that_is_not_committed_says_nothing_of_it(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    for arguments in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "first")):
        await asyncio.to_thread(subprocess.run, [*GIT, *arguments], check=True)
    judged = ("--model", "small", "--verifier", "tests", "--verdict")
    await recorded(*judged, "accepted")
    await recorded(*judged, "rejected")
    (tmp_path / "work" / "new.py").touch()
    await recorded(*judged, "accepted")
    assert await ran("--verifier", "tests", "--", "false") == 1
    async with engine.connect() as connection:
        commits = (
            await connection.execute(text("SELECT context ? 'commit' FROM job_results ORDER BY completed_at"))
        ).scalars()
        assert list(commits) == [True, True, False, False, False, False, False]
    assert await label_from_git(engine, [Path()], datetime.now(UTC)) == 2
    assert [status for *_, status in await rows(engine)][:3] == ["success", "success", "failed"]


@pytest.mark.parametrize(
    "arguments",
    [
        (results, "record", "--type", "fix"),
        (results, "record", "--type", "fix", "--verifier", "tests", "--status", "success"),
        (results, "record", "--type", "fix", "--verdict", "accepted", "--status", "success"),
        (run, "--", "true"),
        (run, "--type", "fix", "--verifier", "tests", "--", "true"),
    ],
)
async def test_half_a_verdict_is_none(engine: AsyncEngine, arguments: tuple[Any, ...]) -> None:
    done = await invoked(*arguments)
    assert done.exit_code != Exit.OK
    assert await rows(engine) == []
