from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.embedded.nats import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.mesh import Mesh, Terminal, new_mesh
from tests.support.processes import line, python
from tests.support.servers import copied_postgres
from tests.support.wait import eventually_sync

CTRL_C = b"\x03"
IN_ORDER = ["my-project with servers", "centralcloud with servers"]


@pytest.fixture
def bare_mesh(scratch: Path) -> Iterator[Mesh]:
    with new_mesh(scratch) as made:
        yield made


@pytest.fixture
def mesh(bare_mesh: Mesh, initialised: Path) -> Mesh:
    """Give a mesh whose PostgreSQL was made before, which is quicker."""
    copied_postgres(initialised, bare_mesh.state / "postgres")
    return bare_mesh


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    directory = tmp_path / "My Project"
    directory.mkdir()
    return directory


def environment_of(mesh: Mesh, part: str) -> dict[str, str]:
    """Return what the stand-in found in its environment at its first start."""
    first = (mesh.state / "logs" / f"{part}.log").read_text().splitlines()[0]
    return dict(json.loads(first))


def stopped(mesh: Mesh) -> list[str]:
    """Return what the stand-ins wrote as they stopped."""
    return (mesh.state / "stopped").read_text().splitlines()


def test_from_up_to_down(bare_mesh: Mesh, workspace: Path) -> None:
    mesh = bare_mesh
    with mesh.up(workspace) as process:
        found = mesh.document("status")
        assert found["ready"]
        assert found["pid"] == process.pid
        names = ["postgres", "nats", "centralcloud", "instance-my-project"]
        assert [part["name"] for part in found["parts"]] == names
        assert found["parts"][3]["address"] == str(workspace)

        told = environment_of(mesh, "instance-my-project")
        assert told["INSTANCE_ID"] == "my-project"
        assert told["FLOCKLORE_WORKSPACE"] == str(workspace)
        assert told["FLOCKLORE_STATE_DIR"] == str(mesh.state)
        assert told["FLOCKLORE_LOG_FORMAT"] == "json"
        assert "/instance_my_project?" in told["DATABASE_URL"]
        assert "/centralcloud?" in environment_of(mesh, "centralcloud")["DATABASE_URL"]
        assert told["NATS_URL"] == found["parts"][1]["address"]

        second = mesh.run("up", workspace)
        assert second.returncode == 3
        assert f"already running in {mesh.state} as process {process.pid}: postgres, nats" in second.stderr

        down = mesh.run("down")
        assert (down.returncode, down.stderr) == (0, "")
        assert process.wait(1) == 0
    assert mesh.all_gone()
    assert stopped(mesh) == IN_ORDER


def test_when_nothing_runs(bare_mesh: Mesh) -> None:
    mesh = bare_mesh
    status = mesh.run("status")
    assert status.returncode == 3
    assert "nothing runs in" in status.stdout
    assert mesh.document("status") == {"running": False}
    down = mesh.run("down")
    assert down.returncode == 3
    assert "start it with `flocklore up`" in down.stderr
    logs = mesh.run("logs")
    assert logs.returncode == 4
    assert "there are no logs" in logs.stderr


def test_ctrl_c_stops_everything_in_order(mesh: Mesh, workspace: Path) -> None:
    terminal = Terminal()
    with mesh.up(workspace, terminal=terminal) as process:
        terminal.press(CTRL_C)
        assert process.wait(30) == 0
    shown = terminal.shown()
    assert mesh.all_gone()
    assert stopped(mesh) == IN_ORDER
    assert "stopping; Ctrl-C again to stop at once" in shown
    assert shown.rstrip().endswith("stopped")
    assert "Traceback" not in shown
    assert "database system is shut down" in (mesh.state / "logs" / "postgres.log").read_text()
    assert "Server Exiting" in (mesh.state / "logs" / "nats.log").read_text()


def test_a_second_ctrl_c_stops_at_once(mesh: Mesh, workspace: Path) -> None:
    terminal = Terminal()
    with mesh.up(workspace, terminal=terminal, environment={"STAND_IN_STUBBORN": "1"}) as process:
        terminal.press(CTRL_C)
        eventually_sync(lambda: mesh.document("status")["running"])
        terminal.press(CTRL_C)
        assert process.wait(5) == 130
    assert "Traceback" not in terminal.shown()
    eventually_sync(mesh.all_gone)


def test_closing_the_terminal_stops_everything_in_order(mesh: Mesh, workspace: Path) -> None:
    terminal = Terminal()
    with mesh.up(workspace, terminal=terminal) as process:
        terminal.hang_up()
        process.wait(30)
    assert mesh.all_gone()
    assert stopped(mesh) == IN_ORDER


def test_killing_the_supervisor_leaves_nothing_behind_and_up_works_again(mesh: Mesh, workspace: Path) -> None:
    with mesh.up(workspace) as process:
        process.kill()
        eventually_sync(mesh.all_gone)
        assert mesh.document("status") == {"running": False}
    with mesh.up(workspace):
        assert mesh.run("down").returncode == 0


def test_a_killed_part_comes_back(mesh: Mesh, workspace: Path) -> None:
    with mesh.up(workspace):
        for name in ("nats", "postgres", "centralcloud", "instance-my-project"):
            before = mesh.process(name)
            before.signal(signal.SIGKILL)
            eventually_sync(lambda: (found := mesh.status()) and not found.ready)
            after = {part.name: part for part in mesh.until_ready().parts}[name]
            assert after.process not in (None, before)
            assert after.restarts == 1
            assert after.last_end == "was killed by SIGKILL"
        assert mesh.run("down").returncode == 0
    assert mesh.all_gone()


def test_detached_it_returns_when_everything_is_ready(mesh: Mesh, workspace: Path) -> None:
    started = mesh.run("up", "--detach", workspace)
    assert started.returncode == 0, started.stderr
    assert "instance-my-project ready" in started.stdout
    assert "all ready after" in started.stdout
    status = mesh.status()
    assert status
    assert status.ready
    assert os.getsid(status.supervisor.pid) == status.supervisor.pid
    assert mesh.run("up", "--detach").returncode == 3
    assert mesh.document("down")["stopped"] is True
    assert mesh.all_gone()


def test_detached_a_failure_is_shown_with_its_exit_code(mesh: Mesh, workspace: Path) -> None:
    (mesh.state / "postgres" / "data" / "PG_VERSION").write_text("16\n")
    started = mesh.run("up", "--detach", "--json", workspace)
    assert started.returncode == 78
    assert "was made by PostgreSQL 16" in started.stderr
    assert started.stdout == ""
    assert mesh.status() is None


def test_servers_of_ones_own(
    mesh: Mesh, workspace: Path, nats_server: EmbeddedNats, postgres: EmbeddedPostgres, database_url: str
) -> None:
    own = {"NATS_URL": nats_server.url, "DATABASE_URL": database_url}
    with mesh.up(workspace, environment=own):
        assert [part["name"] for part in mesh.document("status")["parts"]] == ["centralcloud", "instance-my-project"]
        told = environment_of(mesh, "instance-my-project")
        assert told["NATS_URL"] == nats_server.url
        assert told["DATABASE_URL"] == postgres.dsn("instance_my_project")
        assert mesh.run("down").returncode == 0
    assert nats_server.ready()
    assert postgres.ready()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE instance_my_project")
        connection.execute("DROP DATABASE centralcloud")


def test_a_server_of_ones_own_that_does_not_answer(mesh: Mesh, workspace: Path) -> None:
    started = subprocess.run(
        mesh.command("up", workspace),
        env=mesh.environment({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 69
    assert "PostgreSQL does not answer" in started.stderr
    assert "Traceback" not in started.stderr


def test_a_package_of_the_same_name_in_the_current_directory_is_not_taken(mesh: Mesh, workspace: Path) -> None:
    for package in ("shared", "schemas", "instance", "centralcloud", "mesh"):
        (mesh.state / package).mkdir()  # the commands run in this directory
        (mesh.state / package / "__init__.py").write_text("raise SystemExit('not this one')\n")
    started = mesh.run("up", "--detach", workspace)
    assert started.returncode == 0, started.stderr
    assert mesh.run("down").returncode == 0


def test_logs(mesh: Mesh, workspace: Path) -> None:
    with mesh.up(workspace):
        following = subprocess.Popen(
            mesh.command("logs", "--follow", "--lines", "1", "nats"),
            env=mesh.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert following.stdout
        assert "Server is ready" in following.stdout.readline()
        assert mesh.run("down").returncode == 0
        assert any("Initiating Shutdown" in line for line in following.stdout)
        following.kill()
        following.communicate()
    one = mesh.run("logs", "-n", "1", "nats").stdout
    assert one.endswith("Server Exiting..\n")
    several = mesh.run("logs", "-n", "1", "nats", "postgres").stdout.splitlines()
    assert [line.split(" | ")[0].strip() for line in several] == ["nats", "postgres"]
    documents = [json.loads(line) for line in mesh.run("logs", "-n", "2", "--json").stdout.splitlines()]
    assert {line["part"] for line in documents} >= {"nats", "postgres", "centralcloud", "instance-my-project"}
    unknown = mesh.run("logs", "nothing")
    assert unknown.returncode == 4
    assert "choose of centralcloud, instance-my-project, nats, postgres" in unknown.stderr


def test_the_mesh_of_another_user_is_theirs(scratch: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from mesh.status import read_status
        from shared.errors import ConfigurationError
        try:
            read_status(Path(sys.argv[1]))
        except ConfigurationError as error:
            print(error, flush=True)
    """
    (scratch / "mesh.json").touch(mode=0o000)
    with python(script, scratch, plain_user=True) as process:
        assert line(process) == f"the mesh in {scratch} is another user's; ask as that user"
