"""Labels told from real git repositories and what CI said, in the database of an instance."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.config import InstanceSettings
from instance.recording.git import Git
from instance.recording.labelling import label_from_git
from instance.speaker import enrol
from instance.store import result_listing, results
from instance.store.results import JobResult, Label, Status
from shared.database import transaction
from tests.support.databases import instance_engine

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW = START + timedelta(days=30)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


class Repository:
    """A repository of one's own on a clock of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hours = 0.0
        root.mkdir()
        self.git("init", "-q", "-b", "main")
        self.commit("readme", "hello\n" * 3)

    def git(self, *arguments: str) -> str:
        moment = at(self.hours).isoformat()
        own = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        own |= {f"GIT_{who}_{what}": "ann@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        own |= {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=os.environ | own, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, path: str, text: str, *arguments: str) -> str:
        self.hours += 1
        (self.root / path).write_text(text)
        self.git("add", path)
        self.git("commit", "-q", "-m", f"change {path}", *arguments)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def later(self, *arguments: str) -> str:
        self.hours += 1
        self.git(*arguments)
        return self.head()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with instance_engine(database_url) as engine:
        await enrol(engine, InstanceSettings(instance_id="ann"))
        yield engine


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "api")


class Jobs:
    """Records jobs and what CI said, and looks at labels."""

    def __init__(self, engine: AsyncEngine, root: Path) -> None:
        self._engine = engine
        self._root = root
        self._count = 0

    async def made(self, *commits: str) -> int:
        turn = JobResult(
            job_type="agent.turn", source="claude-code", completed_at=START, context={"commit": " ".join(commits)}
        )
        return await self.record(turn)

    async def ci(self, commit: str, status: Status, hours: float, **context: str) -> int:
        told = {"ci": "github", "step": "tests", "run": str(hours)} | context
        run = JobResult(
            job_type="tests", source="junit", status=status, completed_at=at(hours), context=told | {"commit": commit}
        )
        return await self.record(run)

    async def say(self, result: int, status: Status, hours: float) -> None:
        async with transaction(self._engine) as connection:
            await results.label(connection, [result], Label(status, "person", at(hours)))

    async def label(self, now: datetime = NOW) -> int:
        return await label_from_git(self._engine, [self._root], now)

    async def status(self, result: int) -> Status:
        async with transaction(self._engine) as connection:
            found = await result_listing.get(connection, result)
        assert found is not None
        return found.status

    async def words(self, result: int) -> list[tuple[Status, str]]:
        async with transaction(self._engine) as connection:
            return [(word.status, word.source) for word in await result_listing.labels(connection, result)]

    async def record(self, result: JobResult) -> int:
        self._count += 1
        name = str(self._count)
        async with transaction(self._engine) as connection:
            await results.record(connection, structs.replace(result, external_id=name))
            found = await results.find(connection, result.source, name)
        assert found is not None
        return found


@pytest.fixture
def jobs(engine: AsyncEngine, repository: Repository) -> Jobs:
    return Jobs(engine, repository.root)


async def test_what_is_merged_succeeded_and_what_is_not_is_unlabelled(jobs: Jobs, repository: Repository) -> None:
    repository.git("switch", "-q", "-c", "work")
    one = repository.commit("a.py", "a = 1\n")
    job, short = await jobs.made(one), await jobs.made(one[:7])
    assert await jobs.label() == 0
    assert await jobs.words(job) == []
    repository.git("switch", "-q", "main")
    repository.later("merge", "-q", "--no-ff", "-m", "merge", "work")
    assert await jobs.label() == 2
    assert [await jobs.status(result) for result in (job, short)] == ["success", "success"]
    assert await jobs.label() == 0
    assert await jobs.words(job) == [("success", "git")]


async def test_a_revert_is_a_failure_and_its_revert_none(jobs: Jobs, repository: Repository) -> None:
    job = await jobs.made(repository.commit("a.py", "a = 1\n"))
    assert await jobs.label() == 1
    undo = repository.later("revert", "--no-edit", "HEAD")
    assert (await jobs.label(), await jobs.status(job)) == (1, "failed")
    repository.later("revert", "--no-edit", undo)
    assert (await jobs.label(), await jobs.status(job)) == (1, "success")
    assert [word for word, _ in await jobs.words(job)] == ["success", "failed", "success"]


async def test_what_is_undone_without_a_word_is_found_by_its_patch(jobs: Jobs, repository: Repository) -> None:
    job = await jobs.made(repository.commit("readme", "hello\n" * 2 + "world\n"))
    other = await jobs.made(repository.commit("b.py", "b = 1\n"))
    repository.commit("readme", "hello\n" * 3)
    await jobs.label()
    assert (await jobs.status(job), await jobs.status(other)) == ("failed", "success")


async def test_a_reverted_merge_fails_what_it_brought(jobs: Jobs, repository: Repository) -> None:
    repository.git("switch", "-q", "-c", "work")
    job = await jobs.made(repository.commit("a.py", "a = 1\n"), repository.commit("b.py", "b = 1\n"))
    repository.git("switch", "-q", "main")
    untouched = await jobs.made(repository.commit("c.py", "c = 1\n"))
    repository.later("merge", "-q", "--no-ff", "-m", "merge", "work")
    repository.later("revert", "--no-edit", "-m", "1", "HEAD")
    await jobs.label()
    assert (await jobs.status(job), await jobs.status(untouched)) == ("failed", "success")


async def test_a_rebased_commit_is_known_by_its_patch_and_by_ci_of_its_new_name(
    jobs: Jobs, repository: Repository
) -> None:
    repository.git("switch", "-q", "-c", "work")
    job = await jobs.made(repository.commit("a.py", "a = 1\n"))
    repository.git("switch", "-q", "main")
    repository.commit("b.py", "b = 1\n")
    landed = repository.later("cherry-pick", "work")
    assert (await jobs.label(), await jobs.status(job)) == (1, "success")
    await jobs.ci(landed, "failed", hours=90)
    assert (await jobs.label(), await jobs.status(job)) == (1, "failed")


@pytest.mark.parametrize("branch_is_kept", [True, False])
async def test_a_branch_that_is_squashed_is_landed_with_all_its_commits(
    jobs: Jobs, repository: Repository, *, branch_is_kept: bool
) -> None:
    repository.git("switch", "-q", "-c", "work")
    one, two = repository.commit("a.py", "a = 1\n"), repository.commit("a.py", "a = 1\nb = 2\n")
    first, second = await jobs.made(one), await jobs.made(two)
    repository.git("switch", "-q", "-c", "open", "main")
    still_open = await jobs.made(repository.commit("c.py", "c = 1\n"))
    repository.git("switch", "-q", "main")
    repository.commit("b.py", "b = 1\n")
    assert await jobs.label() == 0
    repository.git("merge", "-q", "--squash", "work")
    squashed = repository.later("commit", "-q", "-m", "work (#1)")
    if not branch_is_kept:
        repository.git("branch", "-q", "-D", "work")
    assert await jobs.label() == 2
    assert [await jobs.status(job) for job in (first, second, still_open)] == ["success", "success", "unlabelled"]
    await jobs.ci(squashed, "failed", hours=90)
    assert (await jobs.label(), await jobs.status(first)) == (2, "failed")
    await jobs.ci(squashed, "success", hours=91)
    assert (await jobs.label(), await jobs.status(first)) == (2, "success")
    repository.hours = 95
    repository.later("revert", "--no-edit", squashed)
    assert (await jobs.label(), await jobs.status(second)) == (2, "failed")


async def test_of_a_turn_that_amended_only_what_it_left_counts(jobs: Jobs, repository: Repository) -> None:
    one = repository.commit("a.py", "a = 1\n")
    job = await jobs.made(one[:8], repository.commit("a.py", "a = 2\n", "--amend")[:8])
    assert (await jobs.label(), await jobs.status(job)) == (1, "success")


async def test_all_commits_of_a_turn_must_be_good(jobs: Jobs, repository: Repository) -> None:
    good, bad = repository.commit("a.py", "a = 1\n"), repository.commit("b.py", "b = 1\n")
    both, first = await jobs.made(good, bad), await jobs.made(good)
    await jobs.ci(bad, "failed", hours=9)
    await jobs.label()
    assert (await jobs.status(both), await jobs.status(first)) == ("failed", "success")


async def test_ci_is_corrected_by_the_same_check_alone(jobs: Jobs, repository: Repository) -> None:
    one = repository.commit("a.py", "a = 1\n")
    job = await jobs.made(one)
    run = await jobs.ci(one, "failed", hours=9)
    assert (await jobs.label(), await jobs.status(job)) == (1, "failed")
    await jobs.ci(one, "success", hours=10, step="lint")
    assert await jobs.label() == 0
    await jobs.ci(one, "success", hours=11)
    assert (await jobs.label(), await jobs.status(job)) == (1, "success")
    assert await jobs.status(run) == "failed"


async def test_tests_run_here_say_nothing_of_the_commit_below_them(jobs: Jobs, repository: Repository) -> None:
    one = repository.commit("a.py", "a = 1\n")
    job = await jobs.made(one)
    local = JobResult(job_type="tests", source="run", status="failed", completed_at=at(9), context={"commit": one})
    result = await jobs.record(local)
    await jobs.label()
    assert (await jobs.status(job), await jobs.status(result)) == ("success", "failed")


async def test_a_person_who_knew_it_later_is_right_until_there_is_newer_evidence(
    jobs: Jobs, repository: Repository
) -> None:
    job = await jobs.made(repository.commit("a.py", "a = 1\n"))
    await jobs.say(job, "failed", hours=48)
    assert (await jobs.label(), await jobs.status(job)) == (0, "failed")
    await jobs.say(job, "success", hours=49)
    repository.hours = 72
    repository.later("revert", "--no-edit", "HEAD")
    assert (await jobs.label(), await jobs.status(job)) == (1, "failed")


async def test_what_is_no_longer_on_the_branch_is_unlabelled_again(jobs: Jobs, repository: Repository) -> None:
    job = await jobs.made(repository.commit("a.py", "a = 1\n"))
    await jobs.label()
    repository.git("branch", "kept")
    repository.git("reset", "-q", "--hard", "HEAD~1")
    assert (await jobs.label(), await jobs.status(job)) == (1, "unlabelled")


async def test_the_default_branch_is_what_was_fetched_of_it(jobs: Jobs, repository: Repository, tmp_path: Path) -> None:
    origin = tmp_path / "origin.git"
    repository.git("clone", "-q", "--bare", str(repository.root), str(origin))
    repository.git("remote", "add", "origin", str(origin))
    repository.git("fetch", "-q")
    job = await jobs.made(repository.commit("a.py", "a = 1\n"))
    assert await jobs.label() == 0
    repository.git("push", "-q", "origin", "main")
    assert (await jobs.label(), await jobs.status(job)) == (1, "success")


async def test_what_no_repository_knows_is_not_judged(
    engine: AsyncEngine, jobs: Jobs, repository: Repository, tmp_path: Path
) -> None:
    known = repository.commit("a.py", "a = 1\n")
    job = await jobs.made(known, "f" * 40)
    assert await jobs.label() == 0
    one = await jobs.made(known)
    work_tree = tmp_path / "tree"
    repository.git("worktree", "add", "-q", "--detach", str(work_tree))
    (tmp_path / "plain").mkdir()
    places = [tmp_path / "gone", tmp_path / "plain", work_tree, repository.root]
    assert await label_from_git(engine, places, NOW) == 1
    assert (await jobs.status(job), await jobs.status(one)) == ("unlabelled", "success")


async def test_what_is_no_id_of_a_commit_names_none(jobs: Jobs, repository: Repository) -> None:
    repository.commit("a.py", "a = 1\n")
    for name in ("HEAD", "main", "--all", "HEAD\nHEAD"):
        await jobs.made(name)
    job = await jobs.made(repository.head())
    assert (await jobs.label(), await jobs.status(job)) == (1, "success")


@pytest.mark.parametrize("command", ["git", "patches"])
async def test_when_git_does_not_answer_nothing_is_said_or_taken_back(
    jobs: Jobs, repository: Repository, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    job = await jobs.made(repository.commit("a.py", "a = 1\n"))
    await jobs.label()
    repository.later("revert", "--no-edit", "HEAD")
    with monkeypatch.context() as patch:
        if command == "git":
            patch.setenv("PATH", "/nowhere")
        else:
            patch.setattr("instance.recording.history._OF_COMMITS", ("log", "--no-such-option"))
        assert await jobs.label() == 0
    assert (await jobs.label(), await jobs.status(job)) == (1, "failed")


async def test_patches_that_git_cannot_tell_apart_undo_nothing(
    jobs: Jobs, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await jobs.made(repository.commit("a.bin", "\0a"))
    repository.commit("a.bin", "\0b")

    def alike(_git: Git, _command: Sequence[str], names: Sequence[str]) -> dict[str, str]:
        return {name.split()[0]: "0" * 40 for name in names}

    monkeypatch.setattr(Git, "patches", alike)
    assert (await jobs.label(), await jobs.status(job)) == (1, "success")


async def test_what_may_have_landed_too_long_ago_to_be_seen_is_not_judged(
    jobs: Jobs, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await jobs.made(repository.commit("a.py", "a = 1\n"))
    late = [await jobs.made(repository.commit("b.py", f"b = {number}\n")) for number in range(2)]
    monkeypatch.setattr("instance.recording.history.COMMITS_MAX", 2)
    assert await jobs.label() == 2
    assert [await jobs.status(one) for one in (job, *late)] == ["unlabelled", "success", "success"]
    monkeypatch.undo()
    assert (await jobs.label(), await jobs.status(job)) == (1, "success")
