"""Words on results that are heard before the results are, and what is found at once, kept and forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.cli.results import results as command
from instance.store import result_listing, result_words, results
from instance.store.result_words import Subject
from instance.store.results import JobResult, Label
from instance.sync.results import prune_results, say_results
from shared.database import transaction
from shared.errors import Exit
from tests.support.commands import alone, documented, invoked, of_ann
from tests.support.patterns import scalar

COMMIT = "1f3a9c2d4e5b60718293a4b5c6d7e8f901234567"


@pytest.fixture(autouse=True)
def _alone(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with alone(database_url, tmp_path, monkeypatch):
        yield


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with of_ann(database_url) as engine:
        yield engine


async def record(engine: AsyncEngine, *many: JobResult) -> None:
    async with transaction(engine) as connection:
        await results.record_many(connection, many)


def done(commit: str | None = None, **fields: object) -> JobResult:
    context = {} if commit is None else {"commit": commit}
    return JobResult(**{"job_type": "fix", "context": context} | fields)  # type: ignore[arg-type]  # fields by name


async def statuses(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return list((await connection.execute(text("SELECT status FROM job_results ORDER BY id"))).scalars())


async def said(*arguments: str) -> None:
    result = await invoked(command, "label", *arguments)
    assert result.exit_code == Exit.OK, result.output


@pytest.mark.parametrize("about", [("--job", "4711"), ("--commit", COMMIT), ("--commit", COMMIT[:9].upper())])
async def test_a_label_that_comes_first_waits_for_its_result(engine: AsyncEngine, about: tuple[str, str]) -> None:
    told = await documented(command, "label", *about, "--status", "failed", "--by", "ci")
    assert told == {"results": 0, "changed": 0}
    theirs = done(commit=f"{'0' * 40} {COMMIT}", job_id="4711")
    await record(engine, theirs, done(job_id="4712", commit="2" * 40), done())
    assert await statuses(engine) == ["failed", "unlabelled", "unlabelled"]
    assert await scalar(engine, "SELECT label_source FROM job_results WHERE status = 'failed'") == "ci"
    assert await scalar(engine, "SELECT count(*) FROM job_result_labels") == 1
    await said(*about, "--status", "success")
    await record(engine, theirs)
    assert await statuses(engine) == ["success", "unlabelled", "unlabelled", "success"], "the last word stands"
    await say_results(engine)
    assert await scalar(engine, "SELECT sums->>'succeeded' FROM result_states") == "2"


async def test_a_short_commit_of_a_result_is_known_by_the_long_one_of_a_label(engine: AsyncEngine) -> None:
    await said("--commit", COMMIT, "--status", "success")
    await record(engine, done(commit=COMMIT[:8]), done(commit=COMMIT[:6]))
    assert await statuses(engine) == ["success", "unlabelled"]


async def test_a_label_of_one_kind_waits_for_that_kind(engine: AsyncEngine) -> None:
    await said("--commit", COMMIT, "--type", "docs", "--status", "success")
    await record(engine, done(commit=COMMIT), done(commit=COMMIT, job_type="docs"))
    assert await statuses(engine) == ["unlabelled", "success"]


async def test_a_label_and_its_result_at_the_same_time_find_each_other(engine: AsyncEngine) -> None:
    subject, word = Subject("job", "1"), Label("failed", "ci", datetime.now(UTC))
    async with transaction(engine) as speaking:
        await result_words.keep(speaking, subject, word)
        assert await results.of_job(speaking, "1") == []
        recording = asyncio.create_task(record(engine, done(job_id="1")))
        async with engine.connect() as watching:
            waits = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            while not (await watching.execute(waits)).scalar():
                assert not recording.done(), "recorded while somebody was speaking of it"
    await recording
    assert await statuses(engine) == ["failed"]


async def test_a_commit_is_found_by_an_index(engine: AsyncEngine) -> None:
    await record(engine, *(done(commit=f"{number:040x}"[::-1]) for number in range(3000)), done(commit=COMMIT))
    async with transaction(engine) as connection:
        await connection.execute(text("ANALYZE job_results"))
        assert len(await result_listing.of_commit(connection, COMMIT[:10])) == 1
        explained = await connection.execute(
            text(f"EXPLAIN {result_listing._OF_COMMIT.text}"),  # noqa: SLF001 - the statement itself
            {"commit": COMMIT, "digits": 7, "job_type": None},
        )
        assert "job_results_by_commit" in "\n".join(explained.scalars())


async def test_what_was_imported_is_kept_as_long_as_what_happened_today(engine: AsyncEngine) -> None:
    old = datetime.now(UTC) - timedelta(days=200)
    await record(engine, done(completed_at=old, job_id="1"), done(completed_at=old, job_id="2"))
    await prune(engine)
    await say_results(engine)
    await prune(engine)
    assert len(await statuses(engine)) == 2, "a history is here to be looked at"
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE job_results SET recorded_at = recorded_at - interval '91 days'"))
        await connection.execute(text("UPDATE job_results SET status = 'failed' WHERE job_id = '1'"))
    await prune(engine)
    assert await scalar(engine, "SELECT job_id FROM job_results") == "1", "its label is not in the sums yet"
    await say_results(engine)
    await prune(engine)
    assert await statuses(engine) == []
    assert await scalar(engine, "SELECT sums->>'results' FROM result_states") == "2"


async def test_words_nobody_needed_are_forgotten(engine: AsyncEngine) -> None:
    await said("--job", "1", "--status", "failed")
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE job_result_words SET recorded_at = recorded_at - interval '91 days'"))
    await said("--job", "2", "--status", "failed")
    await prune(engine)
    assert await scalar(engine, "SELECT name FROM job_result_words") == "2"


async def prune(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await prune_results(connection)
