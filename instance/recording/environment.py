"""Where something runs: which commit git has checked out, and what a CI system tells its jobs. All of it stays here."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from instance.recording.words import named

_GIT_TIMEOUT_SECONDS: Final = 5.0
_EVENT_BYTES_MAX: Final = 8 * 1024 * 1024

_GITLAB: Final = {
    "run": ("CI_PIPELINE_ID",),
    "job": ("CI_JOB_ID",),
    "step": ("CI_JOB_NAME",),
    "commit": ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"),
    "branch": ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"),
}
_GITHUB: Final = {
    "run": ("GITHUB_RUN_ID",),
    "attempt": ("GITHUB_RUN_ATTEMPT",),
    "step": ("GITHUB_JOB",),
    "workflow": ("GITHUB_WORKFLOW",),
    "commit": ("GITHUB_SHA",),
    "branch": ("GITHUB_HEAD_REF", "GITHUB_REF_NAME"),
}


class _Head(Struct, frozen=True):
    sha: str = ""


class _PullRequest(Struct, frozen=True):
    head: _Head = _Head()


class _Event(Struct, frozen=True):
    pull_request: _PullRequest | None = None


def of_ci(environment: Mapping[str, str], event: bytes = b"{}") -> dict[str, str]:
    """Tell the provider, the run and the commit a CI job is for; nothing outside of one.

    `event` is what GitHub writes to the file GITHUB_EVENT_PATH. For a pull request its GITHUB_SHA is a merge nobody
    made; the commit that is judged is the head of the request.
    """
    if environment.get("GITHUB_ACTIONS") == "true":
        told = {"ci": "github", **_first(environment, _GITHUB)}
        head = _head_of_pull_request(event)
        return told | named(commit=head)
    if environment.get("GITLAB_CI") == "true":
        return {"ci": "gitlab", **_first(environment, _GITLAB)}
    return {"ci": "other"} if environment.get("CI", "").lower() in ("1", "true") else {}


def of_git(directory: Path) -> dict[str, str]:
    """Tell the commit and the branch checked out; nothing outside of a work tree or without git."""
    words = (_git(directory, "rev-parse", "HEAD", "--abbrev-ref", "HEAD") or "").split()
    if len(words) != 2:  # noqa: PLR2004 - a commit and a branch
        return {}
    return named(commit=words[0], branch=words[1] if words[1] != "HEAD" else None)


def is_committed(directory: Path) -> bool:
    """Tell whether everything in the work tree is in the commit that is checked out."""
    return _git(directory, "status", "--porcelain") == ""


def here(environment: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Tell what CI says, and of the rest what git says."""
    return of_git(directory) | of_ci(environment, _read_event(environment))


def _git(directory: Path, *arguments: str) -> str | None:
    """Return what git prints; None where it fails, or there is none."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_GIT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout


def _first(environment: Mapping[str, str], names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """For each word the first variable that is set."""
    found = {word: next(filter(None, map(environment.get, variables)), None) for word, variables in names.items()}
    return named(**found)


def _read_event(environment: Mapping[str, str]) -> bytes:
    path = environment.get("GITHUB_EVENT_PATH")
    if not path:
        return b"{}"
    try:
        with Path(path).open("rb") as file:
            return file.read(_EVENT_BYTES_MAX)
    except OSError:
        return b"{}"


def _head_of_pull_request(event: bytes) -> str:
    try:
        told = msgspec.json.decode(event, type=_Event)
    except msgspec.DecodeError:
        return ""
    return told.pull_request.head.sha if told.pull_request else ""
