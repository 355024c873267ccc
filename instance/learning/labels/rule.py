"""The rule by which what became of commits labels the job that made them. It is written here and nowhere else.

    reverted                                                        -> failed
    CI failed on it, and the same check did not succeed later       -> failed
    on the default branch, and CI did not fail                      -> success
    anything else                                                   -> unlabelled

A job that made several commits failed when one of them did, and succeeded when all of them did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from instance.learning.labels.landing import Fate

Word = Literal["success", "failed", "unlabelled"]

NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Check(NamedTuple):
    """What a CI run said of a commit."""

    name: tuple[str, ...]
    """Runs of the same check are told by it."""
    attempt: tuple[str, ...]
    """Results of one attempt: it failed if one of them did."""
    succeeded: bool
    at: datetime


class Checked(NamedTuple):
    """How checks stand; None when there was none."""

    succeeded: bool | None
    at: datetime


class Verdict(NamedTuple):
    """What is to be said of a job, and when the last of it was to be known."""

    word: Word
    at: datetime


def checked(checks: Iterable[Check]) -> Checked:
    """Tell how the checks of a commit stand: of each check its last attempt counts."""
    attempts: dict[tuple[str, ...], dict[tuple[str, ...], Checked]] = {}
    for check in checks:
        known = attempts.setdefault(check.name, {})
        before = known.get(check.attempt, Checked(True, NEVER))
        known[check.attempt] = Checked(bool(before.succeeded) and check.succeeded, max(before.at, check.at))
    last = [max(of_check.values(), key=lambda one: (one.at, one.succeeded)) for of_check in attempts.values()]
    if not last:
        return Checked(None, NEVER)
    return Checked(all(one.succeeded for one in last), max(one.at for one in last))


def of_commit(fate: Fate, ci: Checked) -> Verdict:
    """Judge one commit."""
    landed = datetime.fromtimestamp(fate.at, UTC) if fate.at else NEVER
    if fate.is_reverted:
        return Verdict("failed", landed)
    if ci.succeeded is False:
        return Verdict("failed", ci.at)
    return Verdict("success", max(landed, ci.at)) if fate.is_landed else Verdict("unlabelled", NEVER)


def of_job(commits: Sequence[Verdict]) -> Verdict:
    """Judge a job by its commits; without any nothing is known."""
    failed = [one.at for one in commits if one.word == "failed"]
    if failed:
        return Verdict("failed", max(failed))
    if commits and all(one.word == "success" for one in commits):
        return Verdict("success", max(one.at for one in commits))
    return Verdict("unlabelled", NEVER)
