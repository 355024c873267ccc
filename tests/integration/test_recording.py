"""What was written down elsewhere in the database of an instance: once, whatever is read again or breaks off."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from instance.config import InstanceSettings
from instance.learning.prices import prices
from instance.recording import importing, spool
from instance.recording.formats import Place, Source, sources
from instance.recording.importing import import_file
from instance.recording.reading import Faults, Origin
from instance.recording.watch import Watch
from instance.speaker import enrol
from instance.store import results
from shared.database import transaction
from shared.errors import UnreachableError
from tests.support.databases import instance_engine
from tests.support.patterns import scalar
from tests.support.transcripts import Claude, Codex, at, turn_id

COUNT = "SELECT count(*) FROM job_results"
LATE = Origin(at(100 * 3600), prices())


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with instance_engine(database_url) as engine:
        await enrol(engine, InstanceSettings(instance_id="ann"))
        yield engine


def turns(count: int, first: int = 0) -> Claude:
    transcript = Claude()
    for number in range(first, first + count):
        transcript.ask(number * 60).answer(number * 60 + 5, number)
    return transcript


async def run(engine: AsyncEngine, path: Path) -> int:
    return sum([(await import_file(engine, one, replace(LATE, faults=Faults()))).new for one in sources([path])])


async def test_a_file_is_read_again_and_recorded_once(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_RESULTS", 4)
    turns(10).write(tmp_path / "s.jsonl")
    Codex().turn(0, turn_id(1)).total(3, 100, 50, 10).write(tmp_path / "rollout-x.jsonl")
    assert await run(engine, tmp_path) == 11
    assert await run(engine, tmp_path) == 0
    turns(13).write(tmp_path / "s.jsonl")
    assert await run(engine, tmp_path) == 3
    assert await scalar(engine, COUNT) == 14
    assert await scalar(engine, "SELECT count(*) FROM job_results WHERE success IS NULL AND cost_cents > 0") == 14


async def test_what_broke_off_is_finished_by_importing_again(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_RESULTS", 3)
    record_many, calls = results.record_many, 0

    async def breaking(*arguments: object) -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise UnreachableError("the database went away; start it again")
        return await record_many(*arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(results, "record_many", breaking)
    path = turns(10).write(tmp_path / "s.jsonl")
    with pytest.raises(UnreachableError):
        await run(engine, path)
    assert await scalar(engine, COUNT) == 6
    assert await run(engine, path) == 4


async def test_progress_comes_to_the_size_of_the_file(engine: AsyncEngine, tmp_path: Path) -> None:
    path, heard = turns(10).write(tmp_path / "s.jsonl"), list[int]()
    await import_file(engine, Source(path, sources([path])[0].reader), LATE, heard.append)
    assert sum(heard) == path.stat().st_size


class Clock:
    def __init__(self) -> None:
        self.now = at(100 * 3600)

    def __call__(self) -> datetime:
        return self.now


def watching(engine: AsyncEngine, tmp_path: Path, clock: Clock, workspace: str = "/home/ann/api") -> Watch:
    settings = InstanceSettings(workspace=workspace, state_dir=str(tmp_path / "state"))
    return Watch(engine, settings, prices(), places=lambda: [Place(tmp_path / "projects", "claude")], clock=clock)


def touch(path: Path, clock: Clock) -> None:
    os.utime(path, (clock.now.timestamp(),) * 2)


async def test_the_watch_reads_what_changed_and_only_that(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    async def noting(engine: AsyncEngine, source: Source, origin: Origin) -> importing.Imported:
        read.append(source.path.name)
        return await import_file(engine, source, origin)

    monkeypatch.setattr("instance.recording.watch.import_file", noting)
    clock = Clock()
    watch, projects = watching(engine, tmp_path, clock), tmp_path / "projects"
    for name, first in (("a.jsonl", 0), ("b.jsonl", 100)):
        touch(turns(2, first).write(projects / name), clock)
    assert await watch.read_new() == 4
    assert await watch.read_new() == 0
    assert sorted(read) == ["a.jsonl", "b.jsonl"]
    clock.now += timedelta(minutes=1)
    touch(turns(3).write(projects / "a.jsonl"), clock)
    assert await watch.read_new() == 1
    assert read[2:] == ["a.jsonl"]


async def test_the_watch_comes_back_for_a_turn_that_was_not_over(engine: AsyncEngine, tmp_path: Path) -> None:
    clock = Clock()
    clock.now = at(70)
    watch = watching(engine, tmp_path, clock)
    touch(turns(2).write(tmp_path / "projects" / "a.jsonl"), clock)
    assert await watch.read_new() == 1
    clock.now += timedelta(minutes=30)
    assert await watch.read_new() == 0
    clock.now += timedelta(minutes=31)
    assert await watch.read_new() == 1


async def test_the_watch_reads_only_what_was_done_in_the_workspace(engine: AsyncEngine, tmp_path: Path) -> None:
    turns(2).write(tmp_path / "projects" / "a.jsonl")
    assert await watching(engine, tmp_path, Clock(), workspace="/home/ann/web").read_new() == 0
    assert await watching(engine, tmp_path, Clock(), workspace="/home/ann/web:/home/ann").read_new() == 2


async def test_the_watch_takes_in_what_waits_for_this_instance(engine: AsyncEngine, tmp_path: Path) -> None:
    state = tmp_path / "state"
    for number, name in enumerate(("ann", None, "bob")):
        spool.put(state, name, {"job_type": "tests", "status": "success", "source": "run", "external_id": str(number)})
    assert await watching(engine, tmp_path, Clock()).read_new() == 2
    assert len(list(spool.waiting(state, "bob"))) == 1
    assert await scalar(engine, "SELECT count(*) FROM job_results WHERE success") == 2


async def test_what_waits_is_delivered_once_and_what_is_no_result_is_set_aside(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    path = spool.put(tmp_path, "ann", {"job_type": "tests", "source": "run", "external_id": "1", "completed_at": at(0)})
    content = path.read_bytes()
    broken = path.with_name("broken.json")
    broken.write_text('{"job_type": ')
    assert await spool.deliver(engine, tmp_path, ["ann", "ann"]) == 1
    path.write_bytes(content)
    assert await spool.deliver(engine, tmp_path, ["ann"]) == 0
    assert [one.name for one in path.parent.iterdir()] == ["broken.json.unreadable"]
    async with transaction(engine) as connection:
        ended = (await connection.execute(text("SELECT completed_at FROM job_results"))).scalar_one()
    assert ended == at(0)
