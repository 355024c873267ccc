"""Several processes on the database of one instance: who speaks, who works, who follows whom, and how they stop."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from instance.speaker import Speaker
from shared.embedded.nats import EmbeddedNats
from shared.errors import AlreadyRunningError, Exit
from shared.schedule import Schedules
from tests.support.daemons import Member, codebase, hub, in_two_files, member
from tests.support.real_mesh import daemon
from tests.support.wait import eventually, eventually_sync

SOURCE = "import os\n\n\ndef there(path):\n    return os.path.exists(os.path.join(path, 'there'))\n"
SPEAKS = "SELECT pid FROM distributed_locks WHERE lock_name = 'instance' AND expires_at > clock_timestamp()"
STUDIED = "SELECT count(*) FROM workflow_runs WHERE status = 'completed'"
ONLINE = "SELECT string_agg(name, ' ' ORDER BY name) FROM workers WHERE status = 'online'"


def value(url: str, statement: str) -> Any:
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute(statement.encode()).fetchone()
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
        return None
    return row[0] if row else None


def reaches(url: str, statement: str, wanted: object, timeout_seconds: float = 30.0) -> None:
    eventually_sync(lambda: value(url, statement) == wanted, timeout_seconds, f"{wanted} of {statement}")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return codebase(tmp_path / "team", in_two_files(SOURCE))


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def process(database_url: str, workspace: Path) -> Callable[..., Any]:
    """Start an instance daemon of some name on the database of the test, isolated unless told otherwise."""

    @contextmanager
    def start(name: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        environment = {
            "INSTANCE_ID": name,
            "DATABASE_URL": database_url,
            "FLOCKLORE_WORKSPACE": str(workspace),
            "FLOCKLORE_HEARTBEAT_SECONDS": "0.5",
            "FLOCKLORE_DEAD_SECONDS": "4",
            **more,
        }
        with daemon("instance", environment, workspace) as running:
            yield running

    return start


def test_who_follows_a_speaker_that_was_killed_keeps_its_name(process: Callable[..., Any], database_url: str) -> None:
    with process("one") as one:
        reaches(database_url, SPEAKS, one.pid)
        with process("two") as two:
            reaches(database_url, ONLINE, "one two")
            assert value(database_url, SPEAKS) == one.pid
            one.send_signal(signal.SIGKILL)
            reaches(database_url, SPEAKS, two.pid)
            assert value(database_url, "SELECT instance_id FROM identity") == "one"
            reaches(database_url, "SELECT status FROM workers WHERE name = 'one'", "offline")
            assert value(database_url, "SELECT ended FROM worker_history WHERE name = 'one'") == "died"


def test_a_study_goes_on_when_its_worker_is_killed(process: Callable[..., Any], database_url: str) -> None:
    """The first process stops dead as soon as a step is at work; the second one brings the study to its end."""
    with process("one") as one:
        eventually_sync(
            lambda: value(database_url, "SELECT count(*) FROM oban_jobs WHERE reserved_by = 'one'"), 30, "a job"
        )
        one.send_signal(signal.SIGSTOP)
        with process("two"):
            reaches(database_url, ONLINE, "one two")
            one.send_signal(signal.SIGKILL)
            eventually_sync(lambda: value(database_url, STUDIED), 30, "a completed study")
    assert value(database_url, "SELECT count(*) FROM workflow_runs WHERE status = 'failed'") == 0
    assert value(database_url, "SELECT count(*) FROM files") == 2
    assert value(database_url, "SELECT max(files) FROM patterns WHERE kind = 'code.pattern'") == 2


def test_a_process_of_a_name_that_lives_is_refused(process: Callable[..., Any], database_url: str) -> None:
    with process("one") as one:
        reaches(database_url, ONLINE, "one")
        with process("one") as other:
            assert other.wait(30) == Exit.RUNNING
        assert value(database_url, SPEAKS) == one.pid


def test_stopping_says_so_and_a_second_signal_stops_at_once(process: Callable[..., Any], database_url: str) -> None:
    with process("one") as one:
        reaches(database_url, ONLINE, "one")
        eventually_sync(lambda: value(database_url, STUDIED), 30, "a completed study")
        one.send_signal(signal.SIGTERM)
        assert one.wait(30) == Exit.OK
    assert value(database_url, "SELECT status FROM workers WHERE deprecated_at IS NOT NULL") == "offline"
    assert value(database_url, "SELECT ended FROM worker_history") == "stopped"
    assert value(database_url, "SELECT ended FROM lock_history WHERE lock_name = 'instance'") == "released"
    with process("one") as one:
        reaches(database_url, SPEAKS, one.pid)
        os.kill(one.pid, signal.SIGTERM)
        os.kill(one.pid, signal.SIGINT)
        assert one.wait(30) in (Exit.FAILED, Exit.OK)


async def test_a_lone_process_renames_its_database_and_one_of_several_does_not(
    nats_server: EmbeddedNats, database_url: str, workspace: Path
) -> None:
    async def name(running: Member) -> Any:
        return await running.value("SELECT instance_id FROM identity")

    async with member(nats_server.url, database_url, workspace, instance_id="first") as running:
        assert await name(running) == "first"
        async with member(nats_server.url, database_url, workspace, instance_id="second") as joined:
            assert not joined.services[0].parts  # type: ignore[attr-defined]
    async with member(nats_server.url, database_url, workspace, instance_id="second") as running:
        assert await name(running) == "first"
        async with running.engine.begin() as connection:
            await connection.execute(text("DELETE FROM workers WHERE name <> 'second'"))
    async with member(nats_server.url, database_url, workspace, instance_id="second") as running:
        assert await name(running) == "second"


async def test_names_of_processes_are_apart_from_the_name_of_the_instance(
    nats_server: EmbeddedNats, database_url: str, workspace: Path
) -> None:
    settings = {"instance_id": "team"}
    async with (
        member(nats_server.url, database_url, workspace, worker_id="desk", **settings) as desk,
        member(nats_server.url, database_url, workspace, worker_id="shelf", **settings),
    ):
        assert await desk.value(ONLINE) == "desk shelf"
        assert await desk.value("SELECT instance_id FROM identity") == "team"
        with pytest.raises(AlreadyRunningError, match="worker desk"):
            async with member(nats_server.url, database_url, workspace, worker_id="desk", **settings):
                pass


async def test_a_worker_works_and_never_speaks(nats_server: EmbeddedNats, database_url: str, workspace: Path) -> None:
    async with member(nats_server.url, database_url, workspace, instance_id="one", role="ingestor") as speaking:
        studying = eventually(lambda: speaking.value(STUDIED), what="a completed study")
        async with member(nats_server.url, database_url, workspace, instance_id="two", role="worker") as working:
            assert not any(isinstance(service, Speaker) for service in working.services)
            await speaking.study()
            await studying
            by = await working.value("SELECT string_agg(DISTINCT attempted_by[1], ' ') FROM oban_jobs")
            assert by == "two"


async def test_a_read_only_process_takes_insights_and_says_nothing(
    nats_server: EmbeddedNats, make_database: Callable[[], str], workspace: Path, tmp_path: Path
) -> None:
    own = codebase(tmp_path / "other", in_two_files(SOURCE))
    async with (
        hub(nats_server.url, make_database()) as central,
        member(nats_server.url, make_database(), workspace) as one,
        member(nats_server.url, make_database(), own) as other,
        member(nats_server.url, make_database(), own, instance_id="ci", role="read_only") as ci,
    ):
        await one.shares()
        await other.shares()
        version = await central.conclude()
        assert version > 0
        await ci.knows(version)
        assert await ci.value("SELECT count(*) FROM outbox") == 0
        assert await central.value("SELECT count(*) FROM instance_registry WHERE instance_id = 'ci'") == 0


async def test_what_was_learned_is_confirmed_when_it_stops(
    nats_server: EmbeddedNats, make_database: Callable[[], str], workspace: Path
) -> None:
    database = make_database()
    async with hub(nats_server.url, make_database()):
        async with member(nats_server.url, database, workspace) as one:
            await one.reaches("SELECT admitted FROM identity", wanted=True)
            await one.study()
        assert value(database, "SELECT count(*) FROM outbox WHERE confirmed_at IS NULL") == 0


async def test_finished_jobs_become_results_once(nats_server: EmbeddedNats, database_url: str, workspace: Path) -> None:
    async with member(nats_server.url, database_url, workspace) as one:
        await one.study()
        await one.reaches("SELECT count(*) FROM oban_jobs WHERE state <> 'completed'", 0)
        for _ in range(2):
            await one.part(Schedules).run_now("results")
        jobs = await one.value("SELECT count(*) FROM oban_jobs")
        recorded = "SELECT count(*) FROM job_results WHERE success AND job_type LIKE 'study.%' AND duration_ms >= 0"
        assert await one.value(recorded) == jobs > 0
        assert await one.value("SELECT sum((sums->>'succeeded')::int) FROM result_states") == jobs
