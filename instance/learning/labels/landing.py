"""What became of a commit on the trunk: whether it got there, perhaps as another commit, and whether it stayed.

A commit is on the trunk itself, or as one with the same patch (rebased, picked), or inside of one that squashes its
branch. It is undone by a commit that says so in git's words or whose patch is the inverse, and is back when that one
is undone. The last of these events counts.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

_REVERTS: Final = re.compile(r"^This reverts commit ([0-9a-f]{7,40})\b", re.MULTILINE)


class Commit(NamedTuple):
    """One commit as git tells it; times are seconds since 1970."""

    id: str
    parents: tuple[str, ...]
    authored: int
    committed: int
    message: str
    paths: frozenset[str]
    """Those it changes; none of a merge."""


class Alike(NamedTuple):
    """Commits of the trunk by their patches."""

    same: Collection[str] = ()
    """That do what the commit does."""
    inverse: Collection[str] = ()
    """That undo it."""


class Fate(NamedTuple):
    """What became of a commit."""

    of: str
    is_landed: bool = False
    is_reverted: bool = False
    at: int = 0
    """Seconds since 1970: when that was made so; 0 of one that is not on the trunk."""
    ids: frozenset[str] = frozenset()
    """What it is called on the trunk and elsewhere."""


@dataclass(frozen=True)
class Trunk:
    """The commits of the default branch, parents before children."""

    commits: Sequence[Commit]
    merged: Mapping[str, frozenset[str]]
    """What each merge that was reverted had brought."""
    since: int = 0
    """Seconds since 1970: what was committed before may have landed unseen."""

    def fate(self, commit: Commit, alike: Alike) -> Fate:
        """Follow a commit through the trunk."""
        same = {one for one in alike.same if self._at(one).committed >= commit.authored}
        applied = same | ({commit.id} & self._places.keys())
        ids = frozenset(applied | {commit.id})
        if not applied:
            return Fate(commit.id, ids=ids)
        first = min(map(self._places.__getitem__, applied))
        undone = {one for one in alike.inverse if self._places[one] > first}
        self._follow(applied, undone)
        last = max(applied | undone, key=self._places.__getitem__)
        return Fate(commit.id, is_landed=True, is_reverted=last in undone, at=self._at(last).committed, ids=ids)

    def _follow(self, applied: set[str], undone: set[str]) -> None:
        """Add the reverts of what was applied, their reverts, and so on."""
        todo = [(one, undone, applied) for one in applied] + [(one, applied, undone) for one in undone]
        while todo:
            one, others, own = todo.pop()
            for revert in self._reverts.get(one, ()):
                if self._places[revert] <= self._places[one]:
                    continue
                own.discard(revert)  # what a commit says of itself comes before what its patch looks like
                if revert not in others:
                    others.add(revert)
                    todo.append((revert, own, others))

    def _at(self, one: str) -> Commit:
        return self.commits[self._places[one]]

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {commit.id: place for place, commit in enumerate(self.commits)}

    @cached_property
    def _reverts(self) -> Mapping[str, Sequence[str]]:
        """Those that say they revert a commit, by its id."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        known = sorted(self._places)
        for commit in self.commits:
            for name in named_reverts(commit.message):
                whole = _whole(name, known)
                for one in self.merged.get(whole, frozenset({whole})):
                    found[one].append(commit.id)
        return found


def named_reverts(message: str) -> list[str]:
    """Return the commits a message says it reverts."""
    return _REVERTS.findall(message) if "This reverts commit" in message else []


def standing(commits: Sequence[Commit]) -> list[Commit]:
    """Leave out, of the commits of one job in their order, those that a later one amended."""
    later: set[tuple[str, ...]] = set()
    kept: list[Commit] = []
    for commit in reversed(commits):
        if commit.parents not in later:
            kept.append(commit)
        later.add(commit.parents)
    return kept[::-1]


def _whole(name: str, known: Sequence[str]) -> str:
    """Return the one id that begins like this, or the name."""
    place = bisect_left(known, name)
    if place == len(known) or not known[place].startswith(name):
        return name
    is_alone = place + 1 == len(known) or not known[place + 1].startswith(name)
    return known[place] if is_alone else name
