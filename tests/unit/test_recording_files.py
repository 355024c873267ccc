from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.prices import prices
from instance.recording import claude, formats, junit, reading, rows
from instance.recording.environment import of_ci, of_git
from instance.recording.reading import Faults, Origin
from instance.store.results import JobResult
from shared.errors import NotFoundError, UsageError
from tests.support.processes import REPOSITORY
from tests.support.transcripts import Claude, Codex, turn_id

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def origin(**changes: object) -> Origin:
    return replace(Origin(NOON, prices(), faults=Faults()), **changes)  # type: ignore[arg-type]  # fields by name


REPORT = b"""<?xml version="1.0"?>
<testsuites tests="99" failures="0">
 <testsuite name="a" timestamp="2026-03-14T11:00:00" tests="3">
  <properties><property name="x" value="y"/></properties>
  <testcase classname="api.billing" name="test_pays" time="1.5"><failure message="hunter2">hunter2</failure></testcase>
  <testcase classname="api.billing" name="test_owes" time="1,000.25"/>
  <testcase name="test_later" time="0"><skipped/></testcase>
  <testsuite name="inner" timestamp="2026-03-14T10:59:00Z">
   <testcase name="test_breaks" time="x"><error/><system-out>hunter2</system-out></testcase>
  </testsuite>
 </testsuite>
</testsuites>"""


def test_a_report_is_one_result_counted_by_its_cases() -> None:
    told = origin(context={"commit": "abc"})
    (result,) = junit.read(io.BytesIO(REPORT), told)
    assert (result.job_type, result.status, result.error) == ("tests", "failed", "2 of 4 tests failed")
    assert result.insights == {
        "tests": 4, "failures": 1, "errors": 1, "skipped": 1, "failed": ["api.billing::test_pays", "test_breaks"],
    }  # fmt: skip
    assert result.duration_ms == 1_001_750
    assert result.started_at == datetime(2026, 3, 14, 10, 59, tzinfo=UTC)
    assert result.context == {"commit": "abc"}
    assert "hunter2" not in str(result)


def test_another_run_is_another_result_and_the_same_report_the_same() -> None:
    def identity(report: bytes) -> str | None:
        return next(iter(junit.read(io.BytesIO(report), origin()))).external_id

    assert identity(REPORT) == identity(REPORT)
    assert identity(REPORT) != identity(REPORT.replace(b"11:00:00", b"11:00:01"))


@pytest.mark.parametrize(
    ("cases", "status"),
    [("<testcase/>", "success"), ("<testcase><skipped/></testcase>", "unlabelled"), ("", "unlabelled")],
)
def test_a_run_that_ran_nothing_says_nothing(cases: str, status: str) -> None:
    (result,) = junit.read(io.BytesIO(f"<testsuite>{cases}</testsuite>".encode()), origin())
    assert (result.status, result.completed_at) == (status, NOON)


BOMB = b'<!DOCTYPE a [<!ENTITY b "xxxx"><!ENTITY c "&b;&b;">]><testsuite><testcase name="&c;"/></testsuite>'


@pytest.mark.parametrize("content", [b"", b"<html/>", REPORT[:300], BOMB, b"plain"])
def test_what_is_no_report_is_a_fault(content: bytes) -> None:
    told = origin()
    assert list(junit.read(io.BytesIO(content), told)) == []
    assert told.faults.count == 1


def jsonl(*lines: object, told: Origin) -> list[JobResult]:
    content = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return list(rows.read_json_lines(io.BytesIO(content.encode()), told))


def table(content: str, told: Origin) -> list[JobResult]:
    return list(rows.read_csv(io.BytesIO(content.encode()), told))


GOOD = {"job_type": "docs", "status": "success", "model_used": "gpt-5", "input_tokens": 1000, "output_tokens": 100}


def test_rows_that_are_wrong_are_named_and_the_others_are_read() -> None:
    told = origin()
    wrong: list[object] = [
        {"status": "success"}, {"job_type": "x", "status": "great"}, {"job_type": "x", "cost": 3}, "{", [1],
        {"job_type": "x", "input_tokens": -1}, {"job_type": "x", "completed_at": "2026-03-14T12:00:00"},
        {"job_type": "x", "cost_cents": "-1"}, {"job_type": "x", "cost_cents": "NaN"},
        {"job_type": "x", "context": {"a": "b\0"}}, {"job_type": ""},
    ]  # fmt: skip
    assert [one.job_type for one in jsonl(GOOD, *wrong, GOOD, told=told)] == ["docs", "docs"]
    assert told.faults.count == len(wrong)
    assert [name.partition(":")[0] for name in told.faults.named] == [f"line {2 + n}" for n in range(len(wrong))]


def test_a_row_is_taken_as_it_is_and_priced_only_if_it_says_no_cost() -> None:
    ended = "2026-03-14T11:00:00+01:00"
    told = {"cost_cents": "0.1", "completed_at": ended, "external_id": "7", "context": {"task": "docs"}}
    free, priced, unknown = jsonl(GOOD | told, GOOD, {"job_type": "docs"}, told=origin(context={"commit": "abc"}))
    assert (free.cost_cents, free.external_id, free.context) == (Decimal("0.1"), "7", {"task": "docs", "commit": "abc"})
    assert free.completed_at == datetime(2026, 3, 14, 10, tzinfo=UTC)
    assert (priced.cost_cents, priced.input_tokens) == (Decimal("0.225"), 1000)
    assert (unknown.cost_cents, unknown.status, unknown.input_tokens) == (None, "unlabelled", None)


def test_a_price_that_no_job_has_is_unknown() -> None:
    said = {"job_type": "x", "model_used": "claude-opus-4", "input_tokens": 10**12, "output_tokens": 10**12}
    (row,) = jsonl(said, told=origin())
    assert row.cost_cents is None


def test_rows_without_an_id_are_known_again_when_the_file_has_grown() -> None:
    before = jsonl(GOOD, GOOD, told=origin())
    after = jsonl(GOOD, GOOD, GOOD, told=origin())
    assert [one.external_id for one in after][:2] == [one.external_id for one in before]
    assert len({one.external_id for one in after}) == 3


def test_a_table_is_read_like_lines_and_an_empty_field_is_unknown() -> None:
    told = origin()
    content = (
        "job_type,status,cost_cents,input_tokens,completed_at,context.task\n"
        'docs,success,1.25,10,2026-03-14T12:00:00Z,"a, b"\n'
        "docs,,,,,\n"
        "docs,success,much,10,,\n"
        "docs,failed,1,2,,x,too many\n"
        "docs,failed,0,0,,\n"
    )
    first, second, third = table(content, told)
    assert (first.cost_cents, first.input_tokens, first.context) == (Decimal("1.25"), 10, {"task": "a, b"})
    assert (second.status, second.cost_cents, second.input_tokens) == ("unlabelled", None, None)
    assert (third.cost_cents, third.input_tokens) == (Decimal(0), 0)
    assert [name.partition(":")[0] for name in told.faults.named] == ["line 4", "line 5"]


@pytest.mark.parametrize("header", ["status\nsuccess", "job_type,cost\ndocs,3", "", 'job_type\n"open'])
def test_a_table_with_other_columns_is_not_guessed_at(header: str) -> None:
    told = origin()
    assert table(header, told) == []
    assert told.faults.count == 1


@given(st.binary(max_size=300))
def test_any_bytes_are_read_to_their_end(content: bytes) -> None:
    for read in formats.READERS.values():
        list(read(io.BytesIO(content), origin()))


def test_a_line_without_end_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LINE_BYTES_MAX", 200)
    told = origin()
    assert len(jsonl(GOOD, "x" * 1000, GOOD, told=told)) == 2
    assert told.faults.named == ["line 2: longer than 200 bytes"]


def test_the_job_that_runs_now_is_not_the_one_of_a_transcript() -> None:
    content = "".join(json.dumps(line) + "\n" for line in Claude().ask(0).answer(1, 1).lines).encode()
    told = origin(context={"commit": "abc"}, now=NOON + timedelta(days=1))
    assert ["commit" in one.context for one in claude.read(io.BytesIO(content), told)] == [False]
    said = jsonl(GOOD | {"context": {"commit": "its own"}}, told=told)
    assert [one.context for one in said] == [{"commit": "its own"}]


GITHUB = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "12", "GITHUB_SHA": "aaa", "GITHUB_REF_NAME": "main"}
EVENT = json.dumps({"pull_request": {"head": {"sha": "bbb", "ref": "fix"}}, "action": "opened"}).encode()


@pytest.mark.parametrize(
    ("environment", "event", "told"),
    [
        ({}, b"{}", {}),
        ({"CI": "false"}, b"{}", {}),
        ({"CI": "1"}, b"{}", {"ci": "other"}),
        (GITHUB, b"{}", {"ci": "github", "run": "12", "commit": "aaa", "branch": "main"}),
        (GITHUB | {"GITHUB_HEAD_REF": "fix"}, EVENT, {"ci": "github", "run": "12", "commit": "bbb", "branch": "fix"}),
        ({"CI": "true", "GITLAB_CI": "true", "CI_JOB_NAME": "te\udcffst\n"}, b"{}", {"ci": "gitlab", "step": "test"}),
        (GITHUB, b"{nonsense", {"ci": "github", "run": "12", "commit": "aaa", "branch": "main"}),
        (
            {"CI": "true", "GITLAB_CI": "true", "CI_PIPELINE_ID": "3", "CI_JOB_ID": "4", "CI_COMMIT_SHA": "ccc",
             "CI_COMMIT_REF_NAME": "refs/merge-requests/1/head", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix",
             "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": ""},
            b"{}",
            {"ci": "gitlab", "run": "3", "job": "4", "commit": "ccc", "branch": "fix"},
        ),
    ],
)  # fmt: skip
def test_what_a_ci_system_says(environment: Mapping[str, str], event: bytes, told: dict[str, str]) -> None:
    assert of_ci(environment, event) == told


def test_outside_of_a_work_tree_git_says_nothing(tmp_path: Path) -> None:
    assert of_git(tmp_path) == {}
    assert of_git(tmp_path / "none") == {}


def test_the_form_of_a_file_is_seen_in_it(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_bytes(REPORT)
    (tmp_path / "other.xml").write_text("<project/>")
    (tmp_path / "mine.jsonl").write_text(json.dumps(GOOD))
    (tmp_path / "numbers.csv").write_text("job_type\ndocs\n")
    (tmp_path / "notes.txt").write_text("notes")
    Claude().other(type="summary", summary="x").ask(0).write(tmp_path / "projects" / "-api" / "s.jsonl")
    Codex().turn(0, turn_id(1)).write(tmp_path / "sessions" / "2026" / "rollout-2026-03-14T12-00-00-x.jsonl")
    Codex().write(tmp_path / "renamed.jsonl")
    found = {source.path.name: source.reader for source in formats.sources([tmp_path])}
    assert found == {
        "report.xml": junit.read, "mine.jsonl": rows.read_json_lines, "numbers.csv": rows.read_csv,
        "s.jsonl": formats.READERS["claude"], "rollout-2026-03-14T12-00-00-x.jsonl": formats.READERS["codex"],
        "renamed.jsonl": formats.READERS["codex"],
    }  # fmt: skip
    with pytest.raises(UsageError, match="--format"):
        formats.sources([tmp_path / "notes.txt"])
    with pytest.raises(NotFoundError):
        formats.sources([tmp_path / "nothing"])
    assert formats.sources([tmp_path / "notes.txt"], "csv")[0].reader is rows.read_csv
    assert [source.path.name for source in formats.sources([tmp_path], "junit")] == ["other.xml", "report.xml"]


def test_transcripts_are_where_the_agents_keep_them(tmp_path: Path) -> None:
    assert formats.transcripts({}, tmp_path) == []
    for place in (".claude/projects", ".codex/sessions", "elsewhere/projects"):
        (tmp_path / place).mkdir(parents=True)
    claude, codex = (tmp_path / ".claude/projects", "claude"), (tmp_path / ".codex/sessions", "codex")
    assert formats.transcripts({}, tmp_path) == [claude, codex]
    moved = {"CLAUDE_CONFIG_DIR": str(tmp_path / "elsewhere"), "CODEX_HOME": str(tmp_path / "none")}
    assert formats.transcripts(moved, tmp_path) == [(tmp_path / "elsewhere/projects", "claude")]


@pytest.mark.parametrize("module", ["instance.cli.recording", "instance.cli.results", "instance.recording.command"])
def test_a_command_is_run_without_waiting_for_what_only_a_database_needs(module: str) -> None:
    script = f"import sys, {module}, instance.recording.spool; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert {"sqlalchemy", "nats", "psycopg", "rich", "structlog", "numpy"}.isdisjoint(done.stdout.split())
