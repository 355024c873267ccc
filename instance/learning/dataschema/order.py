"""In which order migration tools apply files, and which files are one history."""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from instance.learning.dataschema.changes import Change, Revision

_NUMBERS = re.compile(r"(\d+)")
_NUMBERED = re.compile(r"[vV]?\d")
_REPEATABLE = re.compile(r"R__")


def history_of(path: str) -> str:
    """Return the folder that a migration's history lies in; a numbered one below it holds a step of the history."""
    folders = path.split("/")[:-1]
    while folders and _NUMBERED.match(folders[-1]):
        folders.pop()
    return "/".join(folders)


def nearness(path: str, other: str) -> int:
    """Return how many folders two paths have in common, and one more when they are the same."""
    ours, theirs = path.split("/"), other.split("/")
    return next((at for at, (one, two) in enumerate(zip(ours, theirs, strict=False)) if one != two), len(ours))


def in_order(per_file: Mapping[str, list[Change]], paths: Iterable[str]) -> list[str]:
    """Return the files of one history in the order they are applied.

    That is by the numbers in their names (2 before 10), what Flyway repeats last; or, where files name the revisions
    they follow, after these.
    """
    by_name = sorted(paths, key=_natural)
    revisions = {path: change for path in by_name for change in per_file[path] if isinstance(change, Revision)}
    return _after(by_name, revisions) if revisions else by_name


def _natural(path: str) -> tuple[bool, list[tuple[int, int, str]], str]:
    repeatable = _REPEATABLE.match(path.rpartition("/")[2]) is not None
    parts = (part for part in _NUMBERS.split(path) if part)
    return repeatable, [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], path


def _after(by_name: list[str], revisions: Mapping[str, Revision]) -> list[str]:
    """Sort topologically; what is free at the same time, and what waits for itself, goes by name."""
    known = {revision.name: path for path, revision in revisions.items()}
    waiting = {path: {known[name] for name in revision.after if name in known} for path, revision in revisions.items()}
    followers: defaultdict[str, list[str]] = defaultdict(list)
    for path, before in waiting.items():
        for each in before:
            followers[each].append(path)
    rank = {path: at for at, path in enumerate(by_name)}
    free = [rank[path] for path in by_name if not waiting.get(path)]
    done: list[str] = []
    while free:
        path = by_name[heapq.heappop(free)]
        done.append(path)
        for follower in followers[path]:
            waiting[follower].discard(path)
            if not waiting[follower]:
                heapq.heappush(free, rank[follower])
    finished = set(done)
    return done + [path for path in by_name if path not in finished]
