"""A move that is killed, disturbed or lied to: it goes on, or it refuses; it never opens half a database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest

from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import AlreadyRunningError, ConfigurationError, UnreachableError, UsageError
from shared.inspection import Database, migrations_of
from shared.migrations import upgrade
from shared.move.checks import TablePlan
from shared.move.plan import Move
from shared.move.run import Moved, carry_out, rehearse
from shared.move.target import Target
from tests.support.filled import contents, copy_filled, fill_outbox
from tests.support.own_server import OwnServer, own_server
from tests.support.processes import REPOSITORY
from tests.support.wait import eventually_sync

NAME = "instance_ann"


@pytest.fixture(scope="module")
def own() -> Iterator[OwnServer]:
    """Give a server of an operator's own."""
    with own_server() as server:
        yield server


@pytest.fixture
def source(postgres: EmbeddedPostgres, make_database: Callable[[], str], own: OwnServer) -> Iterator[str]:
    """Give the URL of an instance's database with rows of every kind."""
    url = make_database()
    copy_filled(postgres, url)
    yield url
    own.drop_all()


@pytest.fixture
def ends(source: str, own: OwnServer) -> Move:
    return Move(
        source=Database(name=source.partition("?")[0].rpartition("/")[2], url=source, kind="instance"),
        target=Target(url=own.dsn("postgres"), name=NAME),
    )


class Interrupted(Exception):  # noqa: N818 - it stands for a process that ends
    """What ends a run in the middle."""


def run(ends: Move, report: Callable[[str], None] = lambda _: None, *, restart: bool = False) -> Moved:
    return carry_out(Move(source=ends.source, target=ends.target, restart=restart), report)


def until(words: str) -> Callable[[str], None]:
    """Give a report that ends the run at the first line with these words."""

    def report(line: str) -> None:
        if words in line:
            raise Interrupted(line)

    return report


def when(words: str, act: Callable[[], object]) -> Callable[[str], None]:
    """Give a report that acts at each line with these words."""

    def report(line: str) -> None:
        if words in line:
            act()

    return report


def interrupted(ends: Move, words: str) -> None:
    with pytest.raises(Interrupted):
        run(ends, until(words))


def states(ends: Move) -> dict[str, str]:
    tables: list[TablePlan] = rehearse(ends)[0].tables
    return {table.table: table.state for table in tables}


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement)


def test_a_run_killed_amid_a_table_is_continued(source: str, own: OwnServer, ends: Move) -> None:
    fill_outbox(source, 80_000)
    environment = {**os.environ, "DATABASE_URL": source, "FLOCKLORE_MOVE_TO": own.dsn()}
    command = [sys.executable, "-m", "mesh", "db", "move", ends.source.name, "--as", NAME]
    process = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    try:
        eventually_sync(lambda: copying(own), timeout_seconds=30)
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL
    with pytest.raises(ConfigurationError, match=r"schema \d+ \(moving\)"):
        upgrade(own.dsn(NAME), migrations_of("instance"))
    assert contents(own.dsn(NAME))["outbox"] == []
    before = states(ends)
    assert (before["repositories"], before["outbox"]) == ("copied", "copy")
    done = run(ends)
    assert done.complete
    assert set(done.copied) == {table for table, state in before.items() if state == "copy"}
    assert contents(own.dsn(NAME)) == contents(source)


def copying(own: OwnServer) -> bool:
    """Whether some thousand rows of the outbox have arrived, uncommitted."""
    with own.admin() as admin:
        found = admin.execute("SELECT max(tuples_processed) > 2000 FROM pg_stat_progress_copy").fetchone()
    return found == (True,)


def test_runs_ended_anywhere_come_to_the_same_end(source: str, own: OwnServer, ends: Move) -> None:
    for words in ("copied repositories", "copied oban_jobs", "copied workflow_step_tasks", "comparing"):
        interrupted(ends, words)
    done = run(ends)
    assert (done.complete, done.copied) == (True, [])
    assert contents(own.dsn(NAME)) == contents(source)


def test_a_target_that_goes_away_is_filled_by_the_next_run(source: str, own: OwnServer, ends: Move) -> None:
    with pytest.raises(UnreachableError, match="run it again"):
        run(ends, when("copied files", own.disconnect_all))
    assert run(ends).complete
    assert contents(own.dsn(NAME)) == contents(source)


def test_a_source_that_changed_between_two_runs_is_refused_and_begun_anew_on_demand(
    source: str, own: OwnServer, ends: Move
) -> None:
    interrupted(ends, "copied outbox")
    execute(source, "UPDATE repositories SET root = root || '.'")
    assert states(ends)["repositories"] == "changed"
    with pytest.raises(UsageError, match=r"repositories is not as it was copied.*--restart"):
        run(ends)
    assert run(ends, restart=True).complete
    assert contents(own.dsn(NAME)) == contents(source)


def test_a_table_that_was_not_copied_yet_may_have_changed(source: str, own: OwnServer, ends: Move) -> None:
    interrupted(ends, "copied repositories")
    execute(source, "DELETE FROM chunks WHERE ordinal > 3")
    assert run(ends).complete
    assert contents(own.dsn(NAME)) == contents(source)


TAMPERED = {
    "files": "UPDATE files SET facts = '\\x01' WHERE repository_id = 1",
    "outbox": "DELETE FROM outbox WHERE seq = 2",
    "insight_changes": "UPDATE insight_changes SET version = 2",  # two equal rows become two other equal rows
    "agents": "UPDATE agents SET seconds = '-Infinity'",
    "patterns": """UPDATE patterns SET names = '["\\u2028", 1.1, null]'""",
    "lock_epochs": "SELECT setval('lock_epochs', 40)",
}


def test_rows_that_are_not_as_they_were_keep_the_database_closed(source: str, own: OwnServer, ends: Move) -> None:
    done = run(ends, when("comparing", lambda: execute(own.dsn(NAME), "; ".join(TAMPERED.values()))))
    assert (done.complete, set(done.differing)) == (False, set(TAMPERED))
    with pytest.raises(ConfigurationError, match="moving"):
        upgrade(own.dsn(NAME), migrations_of("instance"))
    again = run(ends)
    assert again.complete
    assert set(again.copied) == {*TAMPERED, "chunks"} - {"lock_epochs"}
    assert contents(own.dsn(NAME)) == contents(source)


def test_nobody_writes_to_the_source_while_it_is_copied(source: str, own: OwnServer, ends: Move) -> None:
    """A daemon that is started meanwhile can read; and as long as it is there nothing is opened."""
    daemons: list[psycopg.Connection[tuple[object, ...]]] = []

    def start() -> None:
        daemon = psycopg.connect(source, autocommit=True, application_name="flocklore ann")
        daemons.append(daemon)
        daemon.execute("SET lock_timeout = '50ms'")
        assert daemon.execute("SELECT count(*) FROM repositories").fetchone() == (2,)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            daemon.execute("DELETE FROM chunks")

    with pytest.raises(AlreadyRunningError, match="flocklore ann"):
        run(ends, when("comparing", start))
    daemons[0].close()
    eventually_sync(lambda: run(ends).complete)
    assert contents(own.dsn(NAME)) == contents(source)


def test_two_moves_do_not_fill_one_database(source: str, ends: Move) -> None:
    def second() -> None:
        with pytest.raises(AlreadyRunningError, match="another `db move`"):
            run(ends)

    assert run(ends, when("comparing", second)).complete


def test_what_was_begun_from_another_schema_is_not_continued(source: str, ends: Move) -> None:
    interrupted(ends, "copied repositories")
    execute(source, "UPDATE alembic_version SET version_num = '0002'")
    with pytest.raises(ConfigurationError, match=r"was begun, \d+ \(moving\).* at 0002"):
        run(ends)


def test_a_table_that_no_schema_knows_is_named(source: str, ends: Move) -> None:
    execute(source, "CREATE TABLE mine (id integer)")
    with pytest.raises(ConfigurationError, match="changed by hand: mine"):
        run(ends)
