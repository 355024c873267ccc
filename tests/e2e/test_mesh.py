"""A mesh of four instances as a user starts it: what two of them do becomes known to all, whatever is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from shared.embedded.nats import EmbeddedNats
from tests.support.daemons import codebase, in_two_files
from tests.support.real_mesh import RealMesh, daemon, real_mesh, repository
from tests.support.servers import scratch_directory
from tests.support.wait import eventually_sync

IDIOM = """
import contextlib
import os
import signal


def ask_to_stop(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(process.pid), signal.SIGHUP)
"""
LATER = """
import shutil
import tempfile


def copy_aside(tree):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        return shutil.copytree(tree, directory, symlinks=True, dirs_exist_ok=True)
"""
ELSE = """
import json
import sys


def show(rows):
    for row in rows:
        json.dump(row, sys.stdout, sort_keys=True, ensure_ascii=False)
"""
TEMPLATE = "os . killpg ( os . getpgid ( $1 . pid ) , signal . SIGHUP )"
LATER_TEMPLATE = "return shutil . copytree ( $1 , $2 , symlinks = True , dirs_exist_ok = True )"
NAMES = ("ann", "bob", "cat", "dan")
FIRST_INSIGHT_SECONDS_MAX = 60.0
JOBS_AT_ONCE_MAX = 20

HELD = "SELECT count(*) FROM insights WHERE state = 'active' AND body->>'template' = %s"
STATUS = "SELECT status FROM instance_registry WHERE instance_id = %s"
EVENTS = """
    SELECT sum(last_seq - first_seq + 1) FROM received_envelopes
     WHERE convert_from(body, 'UTF8') NOT LIKE ALL (ARRAY['%%instance.statistics%%', '%%job.result%%'])
"""
REGISTRY = """
    SELECT instance_id, status, load, last_heartbeat,
           EXTRACT(EPOCH FROM (NOW() - last_heartbeat)) AS seconds_since_heartbeat
      FROM instance_registry ORDER BY instance_id
"""


@dataclass
class Running:
    """The mesh all tests here share, how it was started, and what it printed."""

    mesh: RealMesh
    directories: list[Path]
    printed: dict[str, Any] = field(default_factory=dict)
    started_at: float = 0.0

    def up(self) -> None:
        """Start it in the background."""
        self.started_at = time.monotonic()
        done = self.mesh.run("up", *self.directories, "--detach", "--json")
        assert done.returncode == 0, done.stderr
        self.printed = json.loads(done.stdout)

    def all_hold(self, template: str) -> float:
        """Wait until every instance holds an insight; returns the seconds since the start."""
        for name in NAMES:
            self.mesh.reaches(f"instance_{name}", HELD, template)
        return time.monotonic() - self.started_at

    def pids(self) -> dict[str, int]:
        """The process of every part that has one."""
        return {part["name"]: part["pid"] for part in self.mesh.document("status")["parts"] if part["pid"]}


@pytest.fixture(scope="module")
def running(initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Three repositories that share an idiom, and one that has it not; up, and its insights everywhere."""
    work = tmp_path_factory.mktemp("work")
    directories = [repository(work / name, in_two_files(IDIOM)) for name in NAMES[:3]]
    directories.append(repository(work / NAMES[3], in_two_files(ELSE)))
    with scratch_directory() as state, real_mesh(state, initialised) as mesh:
        running = Running(mesh, directories)
        running.up()
        yield running
        mesh.run("down")


def test_within_a_minute_insights_of_several_are_in_all(running: Running) -> None:
    assert running.all_hold(TEMPLATE) < FIRST_INSIGHT_SECONDS_MAX
    mesh = running.mesh
    assert running.printed["ready"] is True
    parts = [f"instance-{name}" for name in NAMES]
    assert [part["name"] for part in running.printed["parts"]] == ["postgres", "nats", "centralcloud", *parts]
    for name in NAMES:
        held = mesh.ask("insights", "list", "--instance", name)
        (found,) = (one["insight"] for one in held if one["insight"]["template"] == TEMPLATE)
        assert found["instances"] >= 2
        assert set(found["contributors"]) < set(NAMES)
    mined = mesh.ask("patterns", "list", "--all", "--limit", "100", "--instance", "ann")
    assert TEMPLATE in {one["template"] for one in mined}
    assert TEMPLATE not in {one["template"] for one in mesh.ask("patterns", "list", "--all", "--instance", "dan")}
    statistics = mesh.ask("centralcloud", "statistics")
    assert statistics["active_instances"] == len(NAMES)
    assert statistics["insights"] > 0
    assert mesh.ask("status")["ready"] is True


def test_the_registry_knows_who_lives(running: Running) -> None:
    eventually_sync(lambda: len(running.mesh.rows("centralcloud", REGISTRY)) == len(NAMES), 30)
    for row, name in zip(running.mesh.rows("centralcloud", REGISTRY), NAMES, strict=True):
        assert (row["instance_id"], row["status"]) == (name, "online")
        assert 0 <= row["load"] <= JOBS_AT_ONCE_MAX
        assert 0 <= row["seconds_since_heartbeat"] <= 10


def test_a_second_mesh_here_is_refused(running: Running) -> None:
    again = running.mesh.run("up", *running.directories, "--detach")
    assert again.returncode == 3
    assert "already running" in again.stderr


def test_an_instance_of_its_own_finds_nats_by_host_and_port_and_says_goodbye(running: Running, tmp_path: Path) -> None:
    mesh, ready = running.mesh, tmp_path / "ready"
    running.all_hold(TEMPLATE)
    host, _, port = mesh.nats_url.removeprefix("nats://").partition(":")
    mesh.postgres.ensure_database("visitor")
    told = {
        "INSTANCE_ID": "visitor",
        "NATS_HOST": host,
        "NATS_PORT": port,
        "DATABASE_URL": mesh.postgres.dsn("visitor"),
        "FLOCKLORE_WORKSPACE": str(codebase(tmp_path / "visitor", in_two_files(ELSE))),
        "FLOCKLORE_READY_FILE": str(ready),
    }
    with daemon("instance", told, tmp_path) as process:
        eventually_sync(ready.exists, 30, "ready")
        mesh.reaches("visitor", HELD, TEMPLATE)
        eventually_sync(lambda: mesh.value("centralcloud", STATUS, "visitor") == "online", 30)
        with daemon("instance", told, tmp_path) as second:
            assert second.wait(30) == 3
            assert second.stderr
            assert "stop it, or choose another INSTANCE_ID" in second.stderr.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        eventually_sync(lambda: mesh.value("centralcloud", STATUS, "visitor") == "offline", 10, "offline")
    assert not ready.exists()


def test_what_is_killed_comes_back_and_the_loop_goes_on(running: Running) -> None:
    mesh = running.mesh
    running.all_hold(TEMPLATE)
    before = running.pids()
    for name in ("centralcloud", "nats"):
        mesh.process(name).signal(signal.SIGKILL)
    for directory in running.directories[:2]:
        codebase(directory, in_two_files(LATER, "later"))
    running.all_hold(LATER_TEMPLATE)
    mesh.until_ready()
    after = running.pids()
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed == {"centralcloud", "nats"}
    learned = [
        mesh.value(f"instance_{name}", "SELECT count(*) FROM observations WHERE NOT forgotten") for name in NAMES
    ]
    said = "SELECT count(*) FROM observations WHERE NOT forgotten AND instance = ANY(%s)"
    eventually_sync(lambda: mesh.value("centralcloud", said, list(NAMES)) == sum(learned), 30, "all arrived")


def test_started_again_everybody_is_who_they_were_and_says_nothing_twice(running: Running) -> None:
    mesh = running.mesh
    identity = "SELECT concat_ws(' ', tenant, instance_id, (SELECT epoch FROM uplink)) FROM identity"
    unconfirmed = "SELECT count(*) = 0 FROM outbox WHERE confirmed_at IS NULL"
    for name in NAMES:
        mesh.reaches(f"instance_{name}", unconfirmed)
    before = [mesh.value(f"instance_{name}", identity) for name in NAMES]
    said = mesh.value("centralcloud", EVENTS)
    runs = [
        mesh.value(f"instance_{name}", "SELECT runs FROM schedule_runs WHERE name = 'pattern_mining'") for name in NAMES
    ]
    assert mesh.ask("down")["stopped"] is True
    assert mesh.all_gone()
    assert mesh.run("status").returncode == 3

    running.up()
    assert [part["name"] for part in running.printed["parts"]][3:] == [f"instance-{name}" for name in NAMES]
    for name, count in zip(NAMES, runs, strict=True):
        mined = (
            "SELECT 1 FROM schedule_runs WHERE name = 'pattern_mining' AND runs >= %s AND last_finished > last_started"
        )
        mesh.reaches(f"instance_{name}", mined, count + 2)
        mesh.reaches(f"instance_{name}", unconfirmed)
    assert [mesh.value(f"instance_{name}", identity) for name in NAMES] == before
    assert mesh.value("centralcloud", EVENTS) == said


def test_alone_an_instance_needs_nothing_and_says_so(initialised: Path, tmp_path: Path) -> None:
    """Without a hub, a broker or a database: ready within seconds, and it learns."""
    workspace = codebase(tmp_path / "alone", in_two_files(IDIOM))
    with scratch_directory() as state, real_mesh(state, initialised) as mesh:
        ready = state / "ready"
        told = {
            "INSTANCE_ID": "alone",
            "FLOCKLORE_STATE_DIR": str(state),
            "FLOCKLORE_WORKSPACE": str(workspace),
            "FLOCKLORE_READY_FILE": str(ready),
        }
        with daemon("instance", told, state) as process:
            eventually_sync(ready.exists, 15, "ready")
            mesh.reaches("instance_alone", "SELECT count(*) FROM observations", timeout_seconds=30)
            assert mesh.value("instance_alone", "SELECT count(*) FROM outbox") == 0
            process.send_signal(signal.SIGTERM)
            said = communicated(process)
            assert process.returncode == 0
        assert "isolated: no NATS is configured" in said


def test_hubs_started_at_once_on_an_empty_database_both_serve(
    own_nats: Callable[[], EmbeddedNats], database_url: str, tmp_path: Path
) -> None:
    told = {"NATS_URL": own_nats().url, "DATABASE_URL": database_url}
    with ExitStack() as stack:
        hubs = []
        for name in ("one", "two"):
            own = told | {"FLOCKLORE_READY_FILE": str(tmp_path / name)}
            hubs.append(stack.enter_context(daemon("centralcloud", own, tmp_path)))
        for name in ("one", "two"):
            eventually_sync((tmp_path / name).exists, 30, f"{name} ready")
        assert [hub.poll() for hub in hubs] == [None, None]
        for hub in hubs:
            hub.send_signal(signal.SIGTERM)
            assert hub.wait(10) == 0


def communicated(process: subprocess.Popen[str]) -> str:
    """What it wrote to its log until its end."""
    return process.communicate(timeout=30)[1]
