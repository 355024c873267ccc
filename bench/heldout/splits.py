"""Which files of a repository were seen, and which are still to come."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.heldout.mined import MinedFile, Repository

SHARES_SEEN: Final = (0.0, 0.05, 0.2, 0.5)
FILES_MIN: Final = 20
"""A repository with fewer files, or fewer new ones in a release, has no habits to find."""


class Split(NamedTuple):
    """Files seen and files to come."""

    seen: Sequence[MinedFile]
    unseen: Sequence[MinedFile]


def at_random(repository: Repository, share: float) -> Split:
    """Split the files at random, the same way every time."""
    files = sorted(repository.files)
    random.Random(repository.name).shuffle(files)  # noqa: S311 - the same on every machine
    return _divided(files, share)


def by_release(repository: Repository, *, also_changed: bool) -> Split | None:
    """Take the older release as seen, and as unseen what is new in the later one; None where that is too little.

    A changed file shows most of its patterns again, so with those the own files tell far more of what is to come.
    """
    digests, paths = {file.digest for file in repository.older}, {file.path for file in repository.older}
    later = [file for file in repository.files if file.digest not in digests]
    split = Split(repository.older, [file for file in later if also_changed or file.path not in paths])
    return split if min(map(len, split)) >= FILES_MIN else None


def by_time(repository: Repository, root: Path, share: float) -> Split:
    """Take the files that git knows longest as seen."""
    born = first_commits(root)
    return _divided(sorted(repository.files, key=lambda file: (born.get(file.path, 0), file.path)), share)


def first_commits(root: Path) -> dict[str, int]:
    """Return when each path of a checkout was first committed, in seconds since 1970."""
    command = ["git", "-C", str(root), "log", "--diff-filter=A", "--no-renames", "--format=%x00%ct", "--name-only"]
    log = subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stdout
    born: dict[str, int] = {}
    for commit in log.split("\0")[1:]:
        time, *paths = commit.split("\n")
        born.update((path, int(time)) for path in paths if path)  # the log goes back in time: the last one is the first
    return born


def _divided(files: Sequence[MinedFile], share: float) -> Split:
    seen = max(1, round(share * len(files))) if share else 0
    return Split(files[:seen], files[seen:])
