"""The rule that labels jobs, as a table, and what it rests on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.learning.labels.landing import Fate
from instance.learning.labels.rule import NEVER, Check, Checked, Verdict, Word, checked, of_commit, of_job

START = datetime(2026, 3, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def check(hours: float, status: str, name: str = "tests", run: int | None = None) -> Check:
    return Check((name,), (str(hours if run is None else run),), status == "passed", at(hours))


LANDED = Fate("c", is_landed=True, at=round(at(10).timestamp()))
REVERTED = LANDED._replace(is_reverted=True)
AWAY = Fate("c")
PASSED, FAILED, UNCHECKED = Checked(True, at(5)), Checked(False, at(5)), Checked(None, NEVER)


@pytest.mark.parametrize(
    ("fate", "ci", "word", "when"),
    [
        (REVERTED, UNCHECKED, "failed", at(10)),
        (REVERTED, PASSED, "failed", at(10)),
        (REVERTED, FAILED, "failed", at(10)),
        (LANDED, FAILED, "failed", at(5)),
        (AWAY, FAILED, "failed", at(5)),
        (LANDED, PASSED, "success", at(10)),
        (LANDED, UNCHECKED, "success", at(10)),
        (LANDED, Checked(True, at(12)), "success", at(12)),
        (AWAY, PASSED, "unlabelled", NEVER),
        (AWAY, UNCHECKED, "unlabelled", NEVER),
    ],
)
def test_the_rule_for_a_commit(fate: Fate, ci: Checked, word: Word, when: datetime) -> None:
    assert of_commit(fate, ci) == Verdict(word, when)


@pytest.mark.parametrize(
    ("checks", "stands"),
    [
        ([], "none"),
        ([check(1, "passed")], "passed"),
        ([check(1, "failed")], "failed"),
        ([check(1, "failed"), check(2, "passed")], "passed"),
        ([check(1, "passed"), check(2, "failed")], "failed"),
        ([check(1, "failed", "tests"), check(2, "passed", "lint")], "failed"),
        ([check(1, "failed", "tests"), check(2, "passed", "lint"), check(3, "passed", "tests")], "passed"),
        # Reports and legs of one attempt: it failed if one of them did, in whatever order they ended.
        ([check(1, "failed", run=7), check(2, "passed", run=7)], "failed"),
        ([check(1, "failed", run=7), check(2, "passed", run=7), check(3, "passed", run=8)], "passed"),
    ],
)
def test_the_last_attempt_of_each_check_counts(checks: list[Check], stands: str) -> None:
    told = {True: "passed", False: "failed", None: "none"}
    assert told[checked(checks).succeeded] == told[checked(checks[::-1]).succeeded] == stands


GOOD, BAD, OPEN = Verdict("success", at(1)), Verdict("failed", at(2)), Verdict("unlabelled", NEVER)


@pytest.mark.parametrize(
    ("commits", "job"),
    [
        ([], OPEN),
        ([GOOD], GOOD),
        ([GOOD, GOOD._replace(at=at(3))], Verdict("success", at(3))),
        ([GOOD, OPEN], OPEN),
        ([GOOD, BAD], BAD),
        ([OPEN, BAD], BAD),
    ],
)
def test_all_commits_of_a_job_must_be_good(commits: list[Verdict], job: Verdict) -> None:
    assert of_job(commits) == job


@given(st.lists(st.sampled_from([GOOD, BAD, OPEN]), max_size=5))
def test_more_is_never_better(commits: list[Verdict]) -> None:
    order = {"failed": 0, "unlabelled": 1, "success": 2}
    for more in (BAD, OPEN):
        assert order[of_job([*commits, more]).word] <= order[of_job(commits).word] or not commits
