"""A database goes to another server and back: every row, every sequence, nothing by halves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from mesh.db_cli import db
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import Exit
from shared.inspection import migrations_of
from shared.migrations import known_revisions, upgrade
from shared.move import progress
from shared.move.checks import Situation, TablePlan, examine
from shared.move.ends import shown
from shared.move.target import Target, look
from tests.support.filled import contents, copy_filled, fill
from tests.support.own_server import SECRET, OwnServer, own_server
from tests.support.servers import copied_postgres


@pytest.fixture(scope="module")
def own() -> Iterator[OwnServer]:
    """Give a server of an operator's own."""
    with own_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _elsewhere(scratch: Path, own: OwnServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(scratch)
    monkeypatch.setenv("FLOCKLORE_STATE_DIR", str(scratch / "state"))
    monkeypatch.setenv("FLOCKLORE_MOVE_TO", own.dsn())
    yield
    own.drop_all()


@pytest.fixture
def source(postgres: EmbeddedPostgres, make_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the URL of an instance's database with rows of every kind, which DATABASE_URL names."""
    url = make_database()
    copy_filled(postgres, url)
    monkeypatch.setenv("DATABASE_URL", url)
    return url


def move(*arguments: str) -> Result:
    result = CliRunner().invoke(db, ["move", *arguments])
    assert SECRET not in result.output
    assert "rosebud" not in result.output
    return result


def moved(*arguments: str) -> Any:
    result = move(*arguments, "--json")
    assert result.exit_code == Exit.OK, result.output
    return json.loads(result.stdout)


def refused(exit_code: Exit, *arguments: str) -> str:
    """Move in vain; returns what was said, the same as by a dry run, which never writes."""
    rehearsed = move(*arguments, "--dry-run")
    result = move(*arguments)
    assert (result.exit_code, rehearsed.exit_code) == (exit_code, exit_code), result.output + rehearsed.output
    assert result.stderr == rehearsed.stderr
    return result.stderr


def test_every_row_and_sequence_arrives_on_an_older_server(source: str, own: OwnServer) -> None:
    before = contents(source)
    done = moved("--as", "instance_ann")
    there = own.dsn("instance_ann")
    assert contents(there) == contents(source) == before
    assert done["complete"]
    assert {one["table"]: one["rows"] for one in done["tables"]}["chunks"] == 100
    assert all(one["equal"] and one["checksum"] == one["checksum_target"] for one in done["tables"])
    assert done["target"]["address"].startswith("postgresql://olga:***@")
    with psycopg.connect(there) as connection:
        assert connection.execute("SELECT nextval('lock_epochs')").fetchone() == (42,)
        assert connection.execute("SELECT reserved_by FROM oban_jobs ORDER BY id").fetchall() == [("w1",), (None,)]
        assert connection.execute("SELECT queue_name FROM pgmq.q_centralcloud_updates LIMIT 1").fetchone()
        assert connection.execute("INSERT INTO repositories (root, key) VALUES ('/', repeat('2', 32)) RETURNING id")
    assert upgrade(there, migrations_of("instance")) == known_revisions(migrations_of("instance"))[-1]
    assert "is not empty (an instance's at schema" in refused(Exit.RUNNING, "--as", "instance_ann")


def test_people_see_both_sides_and_what_is_left_to_do(source: str) -> None:
    result = move("--as", "instance_ann")
    assert result.exit_code == Exit.OK, result.output
    assert "chunks\t100\t100\t" in result.stdout
    assert "DATABASE_URL=postgresql://olga:***@" in result.stdout
    assert "DROP DATABASE test_" in result.stdout
    assert "copied chunks: 100 rows" in result.stderr


def test_back_to_an_embedded_server_that_does_not_run(own: OwnServer, initialised: Path, scratch: Path) -> None:
    with own.admin() as admin:
        admin.execute("CREATE DATABASE centralcloud OWNER olga")
    fill(own.dsn("centralcloud"), "centralcloud")
    server = stopped_embedded(initialised, scratch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", own.dsn("postgres"))
        done = moved("centralcloud", "--to", "embedded")
    assert not server.running()
    assert "without DATABASE_URL" in done["next"][0]
    server.start()
    try:
        assert contents(server.dsn("centralcloud")) == contents(own.dsn("centralcloud"))
    finally:
        server.stop()


def stopped_embedded(initialised: Path, scratch: Path) -> EmbeddedPostgres:
    (scratch / "state").mkdir(mode=0o755)
    return copied_postgres(initialised, scratch / "state" / "postgres")


def test_a_dry_run_says_everything_and_writes_nothing(source: str, own: OwnServer, scratch: Path) -> None:
    before = contents(source)
    plan = moved("--as", "instance_ann", "--dry-run")
    assert (plan["kind"], plan["target"]["database"]) == ("instance", "instance_ann")
    assert {one["table"]: (one["rows"], one["state"]) for one in plan["tables"]}["chunks"] == (100, "copy")
    assert {one["level"] for one in plan["checks"]} == {"ok"}
    assert plan["steps"][0] == "create the database instance_ann"
    assert plan["rows"] == sum(one["rows"] for one in plan["tables"])
    assert own.databases() == set()
    assert contents(source) == before
    embedded = moved("--to", "embedded", "--dry-run")
    assert embedded["target"]["address"] == str(scratch / "state" / "postgres")
    assert not (scratch / "state").exists()
    shown = move("--as", "instance_ann", "--dry-run").stdout
    assert "6. open it to daemons" in shown


def test_a_database_made_beforehand_is_filled_by_a_user_who_may_create_none(source: str, own: OwnServer) -> None:
    with own.admin() as admin:
        admin.execute("ALTER ROLE olga NOCREATEDB")
        assert "create databases: have ann created for it" in refused(Exit.CONFIGURATION, "--as", "ann")
        admin.execute("CREATE DATABASE ann")
        assert "make it the owner" in refused(Exit.CONFIGURATION, "--as", "ann")
        admin.execute("ALTER DATABASE ann OWNER TO olga")
        assert moved("--as", "ann")["complete"]
        admin.execute("ALTER ROLE olga CREATEDB")
    assert contents(own.dsn("ann")) == contents(source)


def test_what_has_an_older_schema_arrives_with_it(
    make_database: Callable[[], str], own: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_database()
    progress.prepare(url, migrations_of("centralcloud"), "0002")
    with psycopg.connect(url, autocommit=True) as connection:
        progress.finish(connection, "0002")
        connection.execute("INSERT INTO insight_heads (tenant, version) VALUES ('default', 3)")
    monkeypatch.setenv("DATABASE_URL", url)
    moved("--as", "centralcloud")
    assert contents(own.dsn("centralcloud")) == contents(url)
    upgrade(own.dsn("centralcloud"), migrations_of("centralcloud"))


def test_embeddings_stay_behind(source: str, own: OwnServer) -> None:
    with psycopg.connect(source) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute("CREATE TABLE embeddings (digest bytea PRIMARY KEY, vector vector(3) NOT NULL)")
        connection.execute("INSERT INTO embeddings VALUES ('a', '[1,2,3]')")
    assert moved("--as", "ann")["left_out"] == ["embeddings"]
    assert "embeddings" not in contents(own.dsn("ann"))


def test_a_database_in_use_is_not_moved(source: str, own: OwnServer) -> None:
    with psycopg.connect(source, application_name="flocklore ann"):
        said = refused(Exit.RUNNING)
    assert "flocklore ann (1 connections)" in said
    assert "flocklore down" in said
    with psycopg.connect(source) as connection:
        connection.execute(
            "INSERT INTO distributed_locks VALUES ('uplink', 'ann', 'box', 7, 1, 1, now(), now(), now() + '1 h')"
        )
    assert "ann, process 7 on box" in refused(Exit.RUNNING)
    assert own.databases() == set()


def test_a_target_with_anything_in_it_is_left_alone(source: str, own: OwnServer) -> None:
    with own.admin() as admin:
        admin.execute("CREATE DATABASE ann OWNER olga")
    with psycopg.connect(own.dsn("ann")) as connection:
        connection.execute("CREATE TABLE theirs (id integer)")
    assert "not empty (somebody else's)" in refused(Exit.RUNNING, "--as", "ann")
    assert "not empty (somebody else's)" in refused(Exit.RUNNING, "--as", "ann", "--restart")
    assert set(contents(own.dsn("ann"))) == {"theirs"}


def test_a_target_of_another_encoding_is_refused(source: str, own: OwnServer) -> None:
    with own.admin() as admin:
        admin.execute("CREATE DATABASE ann OWNER olga ENCODING 'LATIN1' TEMPLATE template0")
    assert "ENCODING 'UTF8' TEMPLATE template0" in refused(Exit.CONFIGURATION, "--as", "ann")


def test_a_source_that_is_newer_or_none_of_ours_is_refused(
    source: str, make_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(source) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "schema 9999" in refused(Exit.CONFIGURATION)
    monkeypatch.setenv("DATABASE_URL", make_database())
    assert "no database of an instance" in refused(Exit.CONFIGURATION)
    assert "there is no database nobody" in refused(Exit.NOT_FOUND, "nobody")


def test_a_database_is_not_moved_onto_itself(source: str) -> None:
    result = move("--to", source)
    assert result.exit_code == Exit.RUNNING
    assert "the very database to be moved" in result.stderr


def test_addresses_that_make_no_sense_are_refused_without_being_repeated(source: str, own: OwnServer) -> None:
    for address in ("nowhere", "mysql://x:rosebud@h/d", "postgresql://x:rosebud@[::1/d", f"{own.dsn()}?bad=1"):
        assert "--to takes `embedded`" in refused(Exit.USAGE, "--to", address)
    assert "FLOCKLORE_MOVE_TO" in refused(Exit.USAGE, "--to", own.dsn())
    assert "DATABASE_URL" in refused(Exit.USAGE, "--from", f"{own.dsn(secret=False)}?password=rosebud")
    assert "--to: PostgreSQL does not answer" in refused(Exit.UNREACHABLE, "--to", own.dsn("ann", secret=False))
    assert "cannot name a database" in refused(Exit.USAGE, "--as", "Ann!")


def test_an_address_is_shown_without_its_password() -> None:
    assert shown("postgresql://olga:a%40b@host:1/d") == "postgresql://olga:***@host:1/d"
    assert shown("postgresql://host/d?user=o&password=a@b&port=1") == "postgresql://host/d?user=o&password=***&port=1"
    assert shown("postgresql://olga@/d?host=/run") == "postgresql://olga@/d?host=/run"
    assert shown("postgresql://olga@host:5432/d?options=a:b@c") == "postgresql://olga@host:5432/d?options=a:b@c"


def test_old_servers_standbys_and_full_disks_are_refused() -> None:
    fine = Situation(
        database="ann",
        kind="instance",
        schema="0003",
        version_number=180_000,
        version="18.0",
        users=[],
        tables=[TablePlan(table="files", rows=1, size_bytes=1000, state="copy")],
        target=Target(url=None, name="ann"),
        found=look(Target(url=None, name="ann")),
        free_bytes=2000,
        restart=False,
    )
    assert examine(fine)[1] is None
    for change, exit_code, words in (
        ({"version_number": 140_012, "version": "14.12"}, Exit.CONFIGURATION, "14.12; Flocklore needs 15"),
        ({"found": replace(fine.found, version_number=140_012)}, Exit.CONFIGURATION, "needs 15"),
        ({"found": replace(fine.found, writable=False)}, Exit.CONFIGURATION, "name the primary server"),
        ({"free_bytes": 1999}, Exit.TRY_AGAIN, "make space"),
    ):
        findings, refusal = examine(replace(fine, **change))
        assert refusal is not None
        assert (refusal.exit_code, words in str(refusal)) == (exit_code, True)
        assert [one.found for one in findings if one.level == "error"] == [str(refusal)]
