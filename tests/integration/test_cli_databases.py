from __future__ import annotations

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from mesh.db_cli import db
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import Exit
from tests.support.commands import document, elsewhere, invoke, with_databases
from tests.support.servers import copied_postgres
from tests.support.wait import eventually_sync

EPOCH = "0" * 32


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(tmp_path, monkeypatch)


@pytest.fixture
def server(own_postgres: Callable[[], EmbeddedPostgres], monkeypatch: pytest.MonkeyPatch) -> EmbeddedPostgres:
    return with_databases(own_postgres(), monkeypatch)


def watermarks(server: EmbeddedPostgres) -> list[tuple[str, int, int]]:
    with psycopg.connect(server.dsn("centralcloud")) as connection:
        return connection.execute("SELECT instance, wm, durable_wm FROM watermarks ORDER BY instance").fetchall()


def receive(server: EmbeddedPostgres, instance: str, wm: int) -> None:
    with psycopg.connect(server.dsn("centralcloud")) as connection:
        connection.execute(
            "INSERT INTO watermarks (tenant, instance, epoch, wm) VALUES ('default', %s, %s, %s)"
            " ON CONFLICT (tenant, instance, epoch) DO UPDATE SET wm = excluded.wm",
            [instance, EPOCH, wm],
        )


def test_upgrade_brings_every_database_to_the_schema_needed(server: EmbeddedPostgres) -> None:
    before = document(db, "status")
    assert {one["name"]: one["revision"] for one in before} == {"centralcloud": None, "instance_ann": None}
    done = document(db, "upgrade")
    assert [(one["name"], one["before"]) for one in done] == [("centralcloud", None), ("instance_ann", None)]
    after = document(db, "status")
    assert {one["name"]: one["kind"] for one in after} == {"centralcloud": "centralcloud", "instance_ann": "instance"}
    assert all(one["revision"] == one["needed"] for one in after)
    assert {one["name"]: one["rows"]["alembic_version"] for one in after} == {"centralcloud": 1, "instance_ann": 1}
    assert "instance_ann" in invoke(db, "status").stdout


def test_an_empty_database_of_another_name_must_be_told_what_it_is_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert invoke(db, "upgrade").exit_code == Exit.CONFIGURATION
    assert len(document(db, "upgrade", "--kind", "instance")) == 1
    assert [one["kind"] for one in document(db, "status")] == ["instance"]


def test_a_backup_says_that_what_it_holds_is_durable_and_nothing_else(server: EmbeddedPostgres, tmp_path: Path) -> None:
    document(db, "upgrade")
    receive(server, "ann", 5)
    receive(server, "bob", 7)
    done = document(db, "backup", "--database", "centralcloud", "--output", str(tmp_path / "one.dump"))
    assert done["watermarks"] == 2
    assert stat.S_IMODE((tmp_path / "one.dump").stat().st_mode) == 0o600
    receive(server, "ann", 9)
    assert watermarks(server) == [("ann", 9, 5), ("bob", 7, 7)]
    again = invoke(db, "backup", "--database", "centralcloud", "--output", str(tmp_path / "one.dump"))
    assert again.exit_code == Exit.RUNNING
    assert watermarks(server) == [("ann", 9, 5), ("bob", 7, 7)]


def test_what_arrives_while_a_backup_is_made_is_not_called_durable(server: EmbeddedPostgres, tmp_path: Path) -> None:
    document(db, "upgrade")
    receive(server, "ann", 5)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%durable_wm%'"
    central = server.dsn("centralcloud")
    arguments = ("backup", "--database", "centralcloud", "--output", str(tmp_path / "one.dump"))
    with (
        ThreadPoolExecutor(1) as thread,
        psycopg.connect(central, autocommit=True) as watching,
        psycopg.connect(central) as ingest,
    ):
        ingest.execute("UPDATE watermarks SET wm = 9")
        backup = thread.submit(document, db, *arguments)
        eventually_sync(lambda: watching.execute(waiting).fetchone() == (1,))
        ingest.commit()
        backup.result()
    assert watermarks(server) == [("ann", 9, 5)]


def test_a_backup_that_fails_leaves_no_file_and_marks_nothing(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document(db, "upgrade")
    receive(server, "ann", 5)
    with psycopg.connect(server.dsn("centralcloud")) as connection:
        connection.execute("CREATE ROLE modest LOGIN")
    monkeypatch.setenv("DATABASE_URL", server.dsn("postgres").replace("//flocklore@", "//modest@"))
    result = invoke(db, "backup", "--database", "centralcloud", "--output", str(tmp_path / "one.dump"))
    assert result.exit_code == Exit.FAILED, result.output
    assert "permission denied" in result.stderr
    assert list(tmp_path.glob("one*")) == []
    assert watermarks(server) == [("ann", 5, 0)]
    refused = invoke(db, "status")
    assert refused.exit_code == Exit.CONFIGURATION
    assert "alembic_version" in refused.stderr


def test_a_restored_database_replaces_the_one_before_which_is_kept(server: EmbeddedPostgres, tmp_path: Path) -> None:
    document(db, "upgrade")
    receive(server, "ann", 5)
    file = str(tmp_path / "one.dump")
    document(db, "backup", "--database", "centralcloud", "--output", file)
    receive(server, "ann", 9)
    with psycopg.connect(server.dsn("centralcloud")):
        busy = invoke(db, "restore", file, "--database", "centralcloud")
        assert busy.exit_code == Exit.RUNNING
        assert "stop its daemon first" in busy.stderr
    done = document(db, "restore", file, "--database", "centralcloud")
    assert watermarks(server) == [("ann", 5, 0)]
    assert done["rows"]["watermarks"] == 1
    with psycopg.connect(server.dsn(done["previous"])) as connection:
        assert connection.execute("SELECT wm FROM watermarks").fetchone() == (9,)
    beside = document(db, "restore", file, "--database", "elsewhere")
    assert beside["previous"] is None


def test_what_is_no_backup_is_not_restored(server: EmbeddedPostgres, tmp_path: Path) -> None:
    file = tmp_path / "no.dump"
    file.write_text("hello\n")
    assert invoke(db, "restore", str(file), "--database", "centralcloud").exit_code == Exit.FAILED
    assert invoke(db, "restore", str(file), "--database", "No!").exit_code == Exit.USAGE
    assert [one["name"] for one in document(db, "status")] == ["centralcloud", "instance_ann"]


def test_a_backup_that_was_cut_short_is_not_restored(server: EmbeddedPostgres, tmp_path: Path) -> None:
    document(db, "upgrade")
    receive(server, "ann", 5)
    file = tmp_path / "one.dump"
    document(db, "backup", "--database", "centralcloud", "--output", str(file))
    file.write_bytes(file.read_bytes()[:-200])
    assert invoke(db, "restore", str(file), "--database", "centralcloud").exit_code == Exit.FAILED
    assert watermarks(server) == [("ann", 5, 5)]
    assert [one["name"] for one in document(db, "status")] == ["centralcloud", "instance_ann"]


def test_a_database_that_is_not_there_is_named(server: EmbeddedPostgres) -> None:
    result = invoke(db, "backup", "--database", "nobody")
    assert result.exit_code == Exit.NOT_FOUND
    assert "centralcloud, instance_ann" in result.stderr
    assert invoke(db, "backup").exit_code == Exit.USAGE


def test_an_embedded_server_that_does_not_run_is_started_for_the_command(
    initialised: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = scratch / "state"
    state.mkdir(mode=0o755)
    server = copied_postgres(initialised, state / "postgres")
    server.start()
    server.ensure_database("centralcloud")
    server.stop()
    monkeypatch.setenv("FLOCKLORE_STATE_DIR", str(state))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    upgraded = CliRunner().invoke(db, ["upgrade", "--database", "centralcloud", "--kind", "centralcloud", "--json"])
    assert (upgraded.exit_code, json.loads(upgraded.stdout)[0]["name"]) == (0, "centralcloud")
    assert not server.running()
