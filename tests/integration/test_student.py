"""From a directory to observations and events, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.agents import miner
from instance.agents.student import Student
from instance.config import InstanceSettings
from instance.speaker import enrol
from schemas.codec import decode_event
from schemas.events import AnyEvent, CodePatternLearned, PatternForgotten
from tests.support.databases import instance_engine
from tests.support.direct import study_here
from tests.support.patterns import scalar

WARM = """
import logging

logger = logging.getLogger(__name__)


def wait_a_bit(items):
    for index, item in enumerate(items):
        logger.info("working", extra={"index": index})
"""
OTHER = (
    WARM.replace("logger", "log").replace("items", "rows").replace("item", "row").replace("wait_a_bit", "walk_along")
)


@pytest.fixture
def codebase(tmp_path: Path) -> Path:
    root = tmp_path / "codebase"
    root.mkdir()
    (root / "warm.py").write_text(WARM)
    (root / "other.py").write_text(OTHER)
    return root


@asynccontextmanager
async def student_of(database_url: str, root: Path, **settings: object) -> AsyncIterator[tuple[AsyncEngine, Student]]:
    async with instance_engine(database_url) as engine:
        options = {"instance_id": "one", "nats_url": "nats://nowhere", "workspace": str(root)} | settings
        configured = InstanceSettings(**options)  # type: ignore[arg-type]
        await enrol(engine, configured)
        student = Student(engine, configured)
        yield engine, student
        await student.close()


async def events_of(engine: AsyncEngine) -> list[AnyEvent]:
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT body FROM outbox ORDER BY id"))
        return [decode_event(bytes(body)) for (body,) in rows]


async def test_a_shape_in_two_files_is_said_with_its_public_template(database_url: str, codebase: Path) -> None:
    async with student_of(database_url, codebase) as (engine, student):
        (scan,) = await study_here(student)
        learned = [event for event in await events_of(engine) if isinstance(event, CodePatternLearned)]
    assert (scan.read, scan.unchanged) == (2, 0)
    assert "$1 = logging . getLogger ( __name__ )" in {event.template for event in learned}
    assert {event.files for event in learned} == {2}


async def test_nothing_is_said_when_nothing_changed_also_by_a_new_process(database_url: str, codebase: Path) -> None:
    async with student_of(database_url, codebase) as (engine, student):
        await study_here(student)
        said = await events_of(engine)
        await study_here(student)
        assert await student.say() == 0
    async with student_of(database_url, codebase) as (engine, student):
        (scan,) = await study_here(student)
        assert (scan.read, scan.unchanged) == (0, 2)
        assert await events_of(engine) == said


async def test_a_moved_file_changes_nothing(database_url: str, codebase: Path) -> None:
    async with student_of(database_url, codebase) as (engine, student):
        await study_here(student)
        said = await events_of(engine)
        (codebase / "other.py").rename(codebase / "moved.py")
        await study_here(student)
        assert await events_of(engine) == said


async def test_a_pattern_that_is_no_more_gets_a_tombstone_and_comes_back_in_a_later_version(
    database_url: str, codebase: Path
) -> None:
    async with student_of(database_url, codebase) as (engine, student):
        await study_here(student)
        before = await events_of(engine)
        (codebase / "other.py").unlink()
        await study_here(student)
        after = (await events_of(engine))[len(before) :]
        known = {event.fingerprint for event in before if isinstance(event, CodePatternLearned)}
        assert {event.fingerprint for event in after if isinstance(event, PatternForgotten)} == known
        (codebase / "other.py").write_text(OTHER)
        await study_here(student)
        back = (await events_of(engine))[len(before) + len(after) :]
        again = [event for event in back if isinstance(event, CodePatternLearned)]
        assert {event.fingerprint for event in again} == known
        assert {event.version for event in again} == {3}
        assert await scalar(engine, "SELECT count(*) FROM patterns WHERE files = 0") == 0


async def test_counts_after_changes_are_those_of_a_fresh_count(database_url: str, codebase: Path) -> None:
    statement = (
        "SELECT string_agg(encode(fingerprint, 'hex') || files || ' ' || occurrences, ',' ORDER BY fingerprint)"
        " FROM patterns"
    )
    async with student_of(database_url, codebase) as (engine, student):
        await study_here(student)
        (codebase / "warm.py").write_text(WARM * 2)
        (codebase / "third.py").write_text(OTHER + WARM)
        await study_here(student)
        (codebase / "other.py").unlink()
        await study_here(student)
        incremental = await scalar(engine, statement)
        async with engine.begin() as connection:
            await connection.execute(text("TRUNCATE files, chunks, patterns, observations, agents"))
        await study_here(student)
        assert await scalar(engine, statement) == incremental


async def test_isolated_learning_stays_here_and_is_said_later_only_when_the_owner_opts_in(
    database_url: str, codebase: Path
) -> None:
    async with student_of(database_url, codebase, nats_url=None) as (engine, student):
        await study_here(student)
        await student.report()
        assert await events_of(engine) == []
        assert await scalar(engine, "SELECT count(*) FROM observations") != 0
    async with student_of(database_url, codebase, share_backlog=True) as (engine, student):
        backlog = await events_of(engine)
        assert await scalar(engine, "SELECT count(*) FROM observations") == len(backlog) - 1
        assert backlog[-1].observations == len(backlog) - 1  # type: ignore[union-attr]
    async with student_of(database_url, codebase, share_backlog=True) as (engine, student):
        assert await events_of(engine) == backlog


async def test_joining_without_opting_in_says_only_what_changes_from_then_on(database_url: str, codebase: Path) -> None:
    async with student_of(database_url, codebase, nats_url=None) as (_, student):
        await study_here(student)
    async with student_of(database_url, codebase) as (engine, student):
        await study_here(student)
        assert await events_of(engine) == []
        (codebase / "third.py").write_text(OTHER.replace("walk_along", "wander"))
        await study_here(student)
        assert {event.files for event in await events_of(engine) if isinstance(event, CodePatternLearned)} == {3}


async def test_what_is_too_much_for_one_study_is_left_for_the_next(
    database_url: str, codebase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(miner, "STUDY_FILES_MAX", 1)
    async with student_of(database_url, codebase) as (engine, student):
        assert [(scan.read, scan.rest) for scan in await study_here(student)] == [(1, 1), (1, 0)]
        assert await scalar(engine, "SELECT max(files) FROM patterns WHERE kind = 'code.pattern'") == 2
