"""What became of a commit, told from the commits of the default branch alone."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1

import pytest

from instance.learning.labels.landing import Alike, Commit, Fate, Trunk, standing


def sha(name: str) -> str:
    return sha1(name.encode(), usedforsecurity=False).hexdigest()


def commit(name: str, time: int, *parents: str, reverts: str | None = None, digits: int = 40) -> Commit:
    message = (
        f"{name}\n" if reverts is None else f'Revert "{reverts}"\n\nThis reverts commit {sha(reverts)[:digits]}.\n'
    )
    return Commit(sha(name), tuple(map(sha, parents)), time, time, message, frozenset({"a.py"}))


def follow(
    trunk: Sequence[Commit],
    one: Commit,
    *,
    same: Sequence[str] = (),
    inverse: Sequence[str] = (),
    merged: dict[str, Sequence[str]] | None = None,
) -> Fate:
    brought = {sha(name): frozenset(map(sha, names)) for name, names in (merged or {}).items()}
    return Trunk(trunk, brought).fate(one, Alike(set(map(sha, same)), set(map(sha, inverse))))


BASE, WORK = commit("base", 1), commit("work", 2, "base")


def test_a_commit_elsewhere_is_not_landed() -> None:
    assert follow([BASE], WORK) == Fate(WORK.id, ids=frozenset({WORK.id}))


def test_a_commit_on_the_trunk_is_landed_when_it_was_committed() -> None:
    assert follow([BASE, WORK], WORK) == Fate(WORK.id, is_landed=True, at=2, ids=frozenset({WORK.id}))


@pytest.mark.parametrize("digits", [40, 7])
def test_a_revert_says_so_in_gits_words(digits: int) -> None:
    fate = follow([BASE, WORK, commit("undo", 3, "work", reverts="work", digits=digits)], WORK)
    assert (fate.is_reverted, fate.at) == (True, 3)


def test_a_revert_of_the_revert_brings_it_back_and_so_on() -> None:
    trunk = [BASE, WORK, commit("undo", 3, reverts="work"), commit("redo", 4, reverts="undo")]
    assert (follow(trunk, WORK).is_reverted, follow(trunk, WORK).at) == (False, 4)
    assert follow([*trunk, commit("undo again", 5, reverts="redo")], WORK).is_reverted


def test_the_inverse_patch_is_a_revert_without_words() -> None:
    trunk = [BASE, WORK, commit("back", 3)]
    assert follow(trunk, WORK, inverse=["back"]).is_reverted
    assert not follow([*trunk, commit("again", 4)], WORK, same=["again"], inverse=["back"]).is_reverted


def test_what_looks_like_the_inverse_and_came_before_undid_nothing() -> None:
    assert not follow([commit("removed", 1), WORK], WORK, inverse=["removed"]).is_reverted


def test_a_rebased_commit_is_landed_as_another_and_reverted_by_its_new_name() -> None:
    trunk = [BASE, commit("work'", 3)]
    landed = follow(trunk, WORK, same=["work'"])
    assert (landed.is_landed, landed.is_reverted) == (True, False)
    assert landed.ids == {WORK.id, sha("work'")}
    assert follow([*trunk, commit("undo", 4, reverts="work'")], WORK, same=["work'"]).is_reverted


def test_the_same_patch_from_before_the_commit_was_written_is_another_commit() -> None:
    assert not follow([commit("twin", 1)], WORK, same=["twin"]).is_landed


def test_a_reverted_merge_takes_what_it_brought_along() -> None:
    trunk = [BASE, WORK, commit("merge", 3, "base", "work"), commit("undo", 4, reverts="merge")]
    assert follow(trunk, WORK, merged={"merge": ["work", "merge"]}).is_reverted
    assert not follow(trunk, WORK).is_reverted


def test_a_commit_that_claims_to_revert_a_later_one_reverts_nothing() -> None:
    assert not follow([commit("liar", 1, reverts="work"), WORK], WORK).is_reverted


def test_what_was_amended_does_not_count() -> None:
    first, second = commit("first", 2, "base"), commit("second", 3, "first")
    amended, again = commit("second, amended", 4, "first"), commit("second, amended again", 5, "first")
    assert standing([first, second, amended, again]) == [first, again]
    assert standing([first, second]) == [first, second]
