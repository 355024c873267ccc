"""`flocklore run` and `flocklore results`, as a person or a CI job uses them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.cli.results import FORMATS, STATUSES, results
from instance.recording.formats import AUTO, READERS
from instance.store.results import Status
from shared.errors import Exit
from tests.support.commands import alone, documented, invoked, of_ann
from tests.support.processes import REPOSITORY
from tests.support.transcripts import Claude
from tests.support.wait import eventually_sync

CI = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_EVENT_PATH")


@pytest.fixture(autouse=True)
def _alone(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with alone(database_url, tmp_path, monkeypatch, "CLAUDE_CONFIG_DIR", "CODEX_HOME", *CI):
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.chdir(tmp_path)
        yield


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with of_ann(database_url) as engine:
        yield engine


def start(*command: str, options: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
    """Start `flocklore run`; its session is its own, without a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "mesh", "run", "--type", "tests", *options, "--", *command],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


async def ran(*command: str, given: str = "", **more: Any) -> tuple[int, str, str]:
    process = start(*command, **more)
    out, err = await asyncio.to_thread(process.communicate, given, 60)
    return process.returncode, out, err


async def only(engine: AsyncEngine, columns: str) -> tuple[Any, ...]:
    async with engine.connect() as connection:
        return tuple((await connection.execute(text(f"SELECT {columns} FROM job_results"))).one())  # noqa: S608 - a test


async def test_a_command_has_its_terminal_and_its_exit_code(engine: AsyncEngine) -> None:
    code, out, err = await ran("sh", "-c", "cat; echo seen >&2; exit 3", given="given")
    assert (code, out, err) == (3, "given", "seen\n")
    columns = "job_type, status, error, source, context, completed_at - started_at = duration_ms * interval '1 ms'"
    assert await only(engine, columns) == ("tests", "failed", "exit code 3", "run", {"program": "sh"}, True)


async def test_a_command_that_succeeds_is_recorded_with_model_and_context(engine: AsyncEngine) -> None:
    options = ("--model", "gpt-5", "--context", "task=bugfix", "--context", "size=small")
    told = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7", "GITHUB_SHA": "f" * 40}
    assert (await ran("true", options=options, **told))[0] == 0
    assert await only(engine, "status, model_used, context") == (
        "success",
        "gpt-5",
        {"program": "true", "task": "bugfix", "size": "small", "ci": "github", "run": "7", "commit": "f" * 40},
    )


async def test_the_commit_that_a_command_made_is_known_and_the_one_it_began_with(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    script = "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m"
    git(tmp_path, f"git init -qb main . && {script} one")
    before = git(tmp_path, "git rev-parse HEAD")
    assert (await ran("sh", "-c", f"{script} two"))[0] == 0
    after = git(tmp_path, "git rev-parse HEAD")
    (context,) = await only(engine, "context")
    assert (context["base"], context["commit"], context["branch"]) == (before, after, "main")
    commit = ("label", "--commit", after[:9], "--status", "failed", "--by", "ci")
    kept = await invoked(results, *commit, "--type", "agent.turn")
    assert (kept.exit_code, kept.output[:16]) == (Exit.OK, "no result is of ")
    assert (await documented(results, *commit, "--type", "tests"))["changed"] == 1
    assert await only(engine, "status, label_source") == ("failed", "ci")


def git(directory: Path, script: str) -> str:
    return subprocess.check_output(["sh", "-c", script], cwd=directory, text=True).strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
async def test_signals_reach_the_command(engine: AsyncEngine, number: signal.Signals) -> None:
    process = start(
        "sh", "-c", f"trap 'echo heard; exit 5' {number.name[3:]}; echo ready; while :; do sleep 0.05; done"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, _ = await asyncio.to_thread(process.communicate, None, 60)
    assert (out, process.returncode) == ("heard\n", 5)
    assert await only(engine, "status") == ("failed" if number == signal.SIGUSR1 else "cancelled",)


async def test_whatever_the_command_leaves_behind_its_exit_code_stands(engine: AsyncEngine, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    odd = tmp_path / "odd\udcff"
    odd.write_text("#!/bin/sh\nrmdir ../gone; exit 6\n")
    odd.chmod(0o700)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mesh", "run", "--type", "tests", str(odd),
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, cwd=tmp_path / "gone",
    )  # fmt: skip
    assert await process.wait() == 6
    assert await only(engine, "status, context") == ("failed", {"program": "odd"})


async def test_a_command_that_a_signal_ends_is_told_as_shells_do(engine: AsyncEngine) -> None:
    code, _, _ = await ran("sh", "-c", "kill -KILL $$")
    assert code == 128 + signal.SIGKILL
    assert await only(engine, "status, error") == ("failed", "exit code 137")


async def test_open_descriptors_are_handed_down(engine: AsyncEngine) -> None:
    script = f"exec 7>&1 >/dev/null; exec {sys.executable} -m mesh run --type tests -- sh -c 'echo through >&7'"
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", script, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, stdout=asyncio.subprocess.PIPE
    )
    assert (await process.communicate())[0] == b"through\n"


async def test_a_program_that_is_not_there_is_no_result(engine: AsyncEngine) -> None:
    code, _, err = await ran("no-such-program-here")
    assert code == Exit.NOT_FOUND
    assert "no-such-program-here" in err
    assert await documented(results, "list") == []


async def test_nothing_is_lost_while_the_database_is_away(engine: AsyncEngine, tmp_path: Path) -> None:
    code, out, err = await ran("sh", "-c", "exit 4", DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert (code, out) == (4, "")
    assert "recorded later" in err
    assert await documented(results, "list"), "the next command took it in"
    assert await only(engine, "status, error") == ("failed", "exit code 4")
    assert not [path for path in (tmp_path / "state" / "spool").rglob("*") if path.is_file()]


async def test_later_leaves_the_database_alone(engine: AsyncEngine) -> None:
    assert await ran("true", options=("--later",), DATABASE_URL="postgresql://127.0.0.1:1/none") == (0, "", "")
    assert [row["source"] for row in await documented(results, "list")] == ["run"]


async def test_where_nothing_can_be_kept_the_database_has_it_at_once(engine: AsyncEngine, tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    code, _, err = await ran("true")
    assert code == 0
    assert "cannot keep" in err
    assert await only(engine, "status") == ("success",)
    code, _, err = await ran("true", DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert code == 0
    assert '"status":"success"' in err


async def test_a_result_is_recorded_once_by_its_id(engine: AsyncEngine) -> None:
    record = ("record", "--type", "docs", "--status", "success", "--model", "gpt-5", "--external-id", "job-7")
    usage = ("--tokens-input", "1000", "--tokens-output", "100", "--duration-ms", "5")
    for _ in range(2):
        assert (await documented(results, *record, *usage))["recorded"]
    (row,) = await documented(results, "list")
    assert (row["cost_cents"], row["input_tokens"], row["duration_ms"]) == ("0.225000", 1000, 5)
    await documented(
        results, "record", "--type", "docs", "--status", "failed", "--cost-cents", "1.5", "--model", "gpt-5", *usage
    )
    assert [row["cost_cents"] for row in await documented(results, "list", "--status", "failed")] == ["1.500000"]


@pytest.mark.parametrize("wrong", [("--cost-cents", "-1"), ("--context", "task"), ("--type", "a\nb")])
async def test_what_could_not_be_kept_is_refused(engine: AsyncEngine, wrong: tuple[str, str]) -> None:
    done = await invoked(results, "record", "--type", "docs", "--status", "success", *wrong)
    assert done.exit_code == Exit.USAGE


async def test_transcripts_are_imported_from_where_they_are_and_looked_at(engine: AsyncEngine, tmp_path: Path) -> None:
    Claude().ask(0).answer(9, 1).ask(60).answer(61, 2).write(tmp_path / "home/.claude/projects/-api/s.jsonl")
    done = await documented(results, "import")
    assert (done["files"], done["results"], done["new"], done["unread"]) == (1, 2, 2, [])
    assert (await documented(results, "import"))["new"] == 0
    listed = await documented(
        results, "list", "--model", "claude-opus-4-5-20251101", "--type", "agent.turn", "--limit", "1"
    )
    assert [row["external_id"] for row in listed] == ["msg_002:req_002"]
    shown = await invoked(results, "show", str(listed[0]["id"]))
    assert "context: session" in shown.stdout
    assert (await invoked(results, "show", "999")).exit_code == Exit.NOT_FOUND
    assert "claude-code" in (await invoked(results, "list")).stdout


async def test_lines_that_were_not_read_are_named_and_said_with_the_exit_code(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"job_type": "docs"}\n{"job_type": 3}\n')
    done = await invoked(results, "import", str(path), "--json")
    assert done.exit_code == Exit.DEGRADED
    assert json.loads(done.stdout)["unread"][0]["lines"] == 1
    assert "line 2" in done.stderr
    assert (await invoked(results, "import", str(tmp_path / "none.csv"))).exit_code == Exit.NOT_FOUND


async def test_a_report_of_ci_says_which_commit_it_is_about(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("CI", "true"), ("GITLAB_CI", "true"), ("CI_COMMIT_SHA", "d" * 40)):
        monkeypatch.setenv(name, value)
    (tmp_path / "report.xml").write_text('<testsuite><testcase name="a" time="1"/></testsuite>')
    assert (await documented(results, "import", str(tmp_path / "report.xml")))["new"] == 1
    assert await only(engine, "job_type, status, context") == ("tests", "success", {"ci": "gitlab", "commit": "d" * 40})


async def test_own_prices_come_first(engine: AsyncEngine, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('source="us"\nchecked=2026-01-01\n[[price]]\nmodels=["claude-opus-4-5"]\ninput=0\noutput=500_000\n')
    path = Claude().ask(0).answer(9, 1).write(tmp_path / "s.jsonl")
    await documented(results, "import", str(path), "--prices", str(own))
    assert [row["cost_cents"] for row in await documented(results, "list")] == ["50.000000"]


async def test_a_label_says_later_whether_it_was_right_and_is_corrected(engine: AsyncEngine) -> None:
    await documented(results, "record", "--type", "docs", "--status", "unlabelled", "--job", "41")
    (row,) = await documented(results, "list")
    one = str(row["id"])
    assert await documented(results, "label", one, "--status", "failed", "--at", "2040-01-02T00:00:00Z") == {
        "results": 1,
        "changed": 1,
    }
    assert (await documented(results, "label", one, "--status", "success", "--at", "2040-01-01T00:00:00Z"))[
        "changed"
    ] == 0
    assert (await documented(results, "label", "--job", "41", "--status", "success", "--at", "2040-01-03T00:00:00Z"))[
        "changed"
    ] == 1
    shown = await documented(results, "show", one)
    assert shown["result"]["status"] == "success"
    assert [word["status"] for word in shown["labels"]] == ["success", "failed", "success"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), Exit.USAGE), (("1", "--type", "docs"), Exit.USAGE),
        (("1", "--job", "2"), Exit.USAGE), (("--commit", "abc"), Exit.USAGE),
        (("77",), Exit.NOT_FOUND), (("--job", "none"), Exit.OK), (("--commit", "a" * 40), Exit.OK),
    ],
)  # fmt: skip
async def test_a_label_names_what_it_is_about(engine: AsyncEngine, arguments: tuple[str, ...], code: Exit) -> None:
    assert (await invoked(results, "label", *arguments, "--status", "failed")).exit_code == code


def test_a_key_at_a_terminal_is_heard_once(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    script = "trap 'echo heard' INT; echo ready; read line; echo $line"
    command = ["run", "--type", "tests", "--later", "--", "sh", "-c", script]
    pid, terminal = pty.fork()
    if pid == 0:
        arguments = [sys.executable, "-m", "mesh", *command]
        os.execve(sys.executable, arguments, os.environ | {"PYTHONPATH": str(REPOSITORY)})  # noqa: S606 - no shell
    seen = _Seen(terminal)
    eventually_sync(lambda: "ready" in seen.more(), timeout_seconds=30)
    os.write(terminal, b"\x03")
    eventually_sync(lambda: "heard" in seen.more(), timeout_seconds=30)
    os.write(terminal, b"done\n")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert seen.more().count("heard") == 1
    os.close(terminal)


class _Seen:
    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._text = ""
        os.set_blocking(terminal, False)

    def more(self) -> str:
        try:
            while piece := os.read(self._terminal, 4096):
                self._text += piece.decode()
        except OSError:
            pass
        return self._text


def test_names_said_twice_agree() -> None:
    assert get_args(Status) == STATUSES
    assert (AUTO, *READERS) == FORMATS
