"""What git knows of commits: what they are, what the default branch holds, and which of them do the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from instance.learning.labels.landing import Alike, Commit, Trunk, named_reverts
from instance.recording.git import Git

COMMITS_MAX: Final = 10_000
"""Of the trunk; what landed before them is not known to have."""

TIPS_MAX: Final = 100
"""Of each kind: ends of branches that are looked for as one commit."""

_DAY_SECONDS: Final = 86_400
_NAME: Final = re.compile(r"[0-9a-f]{7,64}")
_DEFAULT_BRANCHES: Final = (
    "refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master",
    "refs/heads/main", "refs/heads/master", "refs/heads/trunk",
)  # fmt: skip
_FORMAT: Final = "--format=%x00%H%x00%P%x00%at%x00%ct%x00%B%x00"
_FIELDS: Final = 6
_PATCH: Final = (
    "--patch", "--no-prefix", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color",
    "--unified=3", "--diff-algorithm=myers",
)  # fmt: skip
_OF_COMMITS: Final = ("log", "--no-walk=unsorted", "--stdin", "--format=commit %H", *_PATCH)
_RANGES: Final = ("diff-tree", "--stdin", "-r", "--no-renames")
"""Reads a commit and what is to be taken for its parent in a line."""


@dataclass(frozen=True)
class History:
    """One repository."""

    git: Git

    def place(self) -> str | None:
        """Tell where its objects are, which its work trees share; None outside of a repository."""
        return self.git.first("rev-parse", "--path-format=absolute", "--git-common-dir")

    def whole(self, names: Sequence[str]) -> dict[str, str]:
        """Return the ids of the commits it has, by what they were called; a name of two is none."""
        ids = [name for name in names if _NAME.fullmatch(name)]  # and not HEAD
        told = self.git.lines("cat-file", "--batch-check=%(objectname) %(objecttype)", given=ids)
        found = (line.partition(" ") for line in told)
        return {name: one for name, (one, _, kind) in zip(ids, found, strict=True) if kind == "commit"}

    def commits(self, ids: Iterable[str]) -> dict[str, Commit]:
        """Read commits."""
        given = list(ids)
        if not given:
            return {}
        read = _read(
            self.git.ask("log", "--no-walk=unsorted", "--stdin", "--name-only", "--no-renames", _FORMAT, given=given)
        )
        return {commit.id: commit for commit in read}

    def trunk(self, since: int) -> Trunk | None:
        """Read the default branch, as it was last fetched, from a time on; None where there is none."""
        tips = (self.git.first("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") for name in _DEFAULT_BRANCHES)
        tip = next(filter(None, tips), None)
        if tip is None:
            return None
        commits = _read(self.git.ask(
            "log", "--topo-order", "--name-only", "--no-renames", f"--max-count={COMMITS_MAX}",
            f"--since={since - _DAY_SECONDS}", _FORMAT, tip,
        ))[::-1]  # fmt: skip
        since = min(one.committed for one in commits) if len(commits) == COMMITS_MAX else 0
        return Trunk(commits, self._merged(commits), since)

    def alike(self, wanted: Sequence[Commit], trunk: Trunk) -> dict[str, Alike]:
        """Compare the patches of commits with those of the trunk that change the same files."""
        paths = {commit.paths for commit in wanted if commit.paths}
        mine = [commit.id for commit in wanted if commit.paths]
        by_patch = self._by_patch(trunk, paths)
        if not by_patch:
            return {}
        forward, backward = self._both_ways(_OF_COMMITS, mine)
        nothing: set[str] = set()
        return {
            one: Alike(by_patch.get(forward.get(one, ""), nothing), by_patch.get(backward.get(one, ""), nothing))
            for one in mine
        }

    def squashed(self, commits: Sequence[Commit], trunk: Trunk) -> dict[str, set[str]]:
        """Find, by the commits they bring, those of the trunk that bring a branch as one commit.

        The branch ends where one of the commits does or a branch does that is still there.
        """
        if not trunk.commits:
            return {}
        top = trunk.commits[-1].id
        latest = sorted(commits, key=lambda one: one.committed, reverse=True)[:TIPS_MAX]
        heads = self.git.lines(
            "for-each-ref", f"--no-merged={top}", "--sort=-committerdate", f"--count={TIPS_MAX}",
            "--format=%(objectname)", "refs/heads", "refs/remotes",
        )  # fmt: skip
        tips = dict.fromkeys([*(one.id for one in latest), *heads])
        bases = {tip: base for tip in tips if (base := self.git.first("merge-base", top, tip))}
        ranges = [f"{tip} {base}" for tip, base in bases.items()]
        by_patch = self._by_patch(trunk, self._changed(ranges))
        patches, _ = self._both_ways((*_RANGES, *_PATCH), ranges if by_patch else [])
        wanted = {one.id for one in commits}
        found: dict[str, set[str]] = {}
        for tip in (tip for tip, patch in patches.items() if patch in by_patch):
            for one in wanted.intersection(self.git.lines("rev-list", tip, f"^{bases[tip]}")):
                found.setdefault(one, set()).update(by_patch[patches[tip]])
        return found

    def _both_ways(self, command: Sequence[str], names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return the ids of patches and of their inverses; those of a patch that is its own inverse say nothing.

        Before 2.39 git took all changes of the same binary files for the same patch.
        """
        forward, backward = self.git.patches(command, names), self.git.patches((*command, "-R"), names)
        telling = [one for one, patch in forward.items() if patch != backward.get(one)]
        return {one: forward[one] for one in telling}, {one: backward[one] for one in telling}

    def _changed(self, ranges: Sequence[str]) -> set[frozenset[str]]:
        """Which files each range of commits changes."""
        changed: dict[str, set[str]] = {line.split()[0]: set() for line in ranges}
        paths: set[str] = set()
        for line in self.git.lines(*_RANGES, "--name-only", given=ranges):
            if line in changed:
                paths = changed[line]
            else:
                paths.add(line)
        return set(map(frozenset, changed.values()))

    def _by_patch(self, trunk: Trunk, paths: AbstractSet[frozenset[str]]) -> dict[str, set[str]]:
        """Return the commits of the trunk that change exactly such files, by their patches."""
        near = [commit.id for commit in trunk.commits if commit.paths and commit.paths in paths]
        found: dict[str, set[str]] = {}
        for one, patch in self.git.patches(_OF_COMMITS, near).items():
            found.setdefault(patch, set()).add(one)
        return found

    def _merged(self, commits: Sequence[Commit]) -> dict[str, frozenset[str]]:
        named = {name for commit in commits for name in named_reverts(commit.message)}
        merges = [one for one in commits if len(one.parents) > 1 and any(one.id.startswith(name) for name in named)]
        return {one.id: frozenset(self.git.lines("rev-list", one.id, f"^{one.parents[0]}")) for one in merges}


def _read(text: str) -> list[Commit]:
    """Read what `_FORMAT` writes, with the names of files behind each."""
    parts = text.split("\0")[1:]
    return [
        Commit(
            id=one,
            parents=tuple(parents.split()),
            authored=int(authored),
            committed=int(committed),
            message=message,
            paths=frozenset(filter(None, paths.splitlines())),
        )
        for one, parents, authored, committed, message, paths in zip(*[iter(parts)] * _FIELDS, strict=True)
    ]
