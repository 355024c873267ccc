"""One address for two PostgreSQL servers: everything goes on at the second when the first is gone."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from mesh.db_cli import db
from shared.database import connect_engine, transaction, wait_until_reachable
from shared.embedded.nats import EmbeddedNats
from shared.errors import ConfigurationError, UnreachableError
from shared.inspection import connected, scalar
from tests.support import fleet
from tests.support.commands import document, elsewhere
from tests.support.daemons import codebase, hub, in_two_files, member
from tests.support.patterns import learn
from tests.support.streaming import Pair, streaming_pair
from tests.support.wait import eventually

HABIT = "import logging\n\nlogger = logging.getLogger(__name__)\n"
LATER = "import os\n\n\ndef here(path):\n    return os.path.join(os.getcwd(), path)\n"
LEARNED = "SELECT count(*) FROM observations"
LISTENING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE application_name = 'flocklore notices' OR application_name LIKE 'flocklore % listening'
"""


@pytest.fixture
def pair(initialised: Path) -> Iterator[Pair]:
    with streaming_pair(initialised) as made:
        yield made


async def test_both_daemons_go_on_at_the_replica_once_it_is_promoted(
    pair: Pair, nats_server: EmbeddedNats, tmp_path: Path
) -> None:
    for name in ("central", "one"):
        await asyncio.to_thread(pair.create_database, name)
    await asyncio.to_thread(pair.lose_nothing)
    workspace = codebase(tmp_path / "one", in_two_files(HABIT))
    async with (
        hub(nats_server.url, pair.url("central")) as central,
        member(nats_server.url, pair.url("one"), workspace) as one,
    ):
        await one.shares()
        before = await central.value(LEARNED)
        listening = pair.primary.execute(LISTENING)
        pair.primary.kill()
        await asyncio.to_thread(pair.promote)
        codebase(workspace, in_two_files(LATER, "later"))
        await one.shares()
        assert await central.value(LEARNED) == await one.value(LEARNED) > before
        await eventually(lambda: pair.replica.execute(LISTENING) == listening > 0, 20, what="all listen again")
        ended = [service.name for service in (*central.services, *one.services) if not service.running]
        assert ended == []


async def test_what_the_hub_had_confirmed_and_the_replica_never_got_is_said_again(
    pair: Pair, nats_server: EmbeddedNats, database_url: str
) -> None:
    await asyncio.to_thread(pair.create_database, "central")
    async with (
        fleet.hub(nats_server.url, pair.url("central")) as central,
        fleet.spoke(nats_server.url, database_url, "one", resend_seconds=60) as one,
    ):
        await learn(one.engine, range(5))
        await one.confirms_all()
        await asyncio.to_thread(pair.await_replay)
        await asyncio.to_thread(pair.part)
        await learn(one.engine, range(5, 10))
        await one.confirms_all()
        await central.reaches(LEARNED, 10)
        pair.primary.kill()
        await asyncio.to_thread(pair.promote)
        assert pair.replica.execute(LEARNED, "central") == 5
        await learn(one.engine, [20])
        await central.reaches(LEARNED, 11)


@pytest.mark.skipif(sys.platform != "linux", reason="what a socket was told is read as Linux keeps it")
async def test_a_server_that_says_nothing_any_more_is_given_up(pair: Pair) -> None:
    told = {"": (30_000, 10), "&tcp_user_timeout=7000&keepalives_idle=3": (7_000, 3)}
    for more, (silent_ms, idle_seconds) in told.items():
        engine = connect_engine(pair.url(more=f"?connect_timeout=2{more}"), application="test")
        try:
            async with engine.connect() as connection:
                raw = await connection.get_raw_connection()
                assert raw.driver_connection is not None
                with socket.socket(fileno=os.dup(raw.driver_connection.fileno())) as line:
                    assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == silent_ms
                    assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == idle_seconds
        finally:
            await engine.dispose()


async def test_until_the_replica_is_promoted_it_is_waited_for_and_named(pair: Pair) -> None:
    engine = connect_engine(pair.url(), application="test")
    try:
        pair.primary.kill()
        with pytest.raises(UnreachableError) as refused:
            await wait_until_reachable(engine, timeout_seconds=0.3)
        assert f"127.0.0.1:{pair.primary.port},127.0.0.1:{pair.replica.port}/postgres" in str(refused.value)
        waiting = asyncio.create_task(wait_until_reachable(engine))
        await asyncio.to_thread(pair.promote)
        await waiting
    finally:
        await engine.dispose()


async def test_a_server_that_takes_no_changes_any_more_is_left_for_the_other(pair: Pair) -> None:
    engine = connect_engine(pair.url(), application="test")
    change = text("INSERT INTO things VALUES (inet_server_port())")
    try:
        async with transaction(engine) as connection:
            await connection.execute(text("CREATE TABLE things (port integer)"))
            await connection.execute(change)
        pair.promote()
        pair.primary.configure("default_transaction_read_only", "on")
        with pytest.raises(UnreachableError, match="read-only"):
            async with transaction(engine) as connection:
                await connection.execute(change)
        async with transaction(engine) as connection:
            await connection.execute(change)
        assert pair.replica.execute("SELECT array_agg(port ORDER BY ctid)::text FROM things") == (
            f"{{{pair.primary.port},{pair.replica.port}}}"
        )
    finally:
        await engine.dispose()


def test_commands_take_the_address_of_both(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(tmp_path, monkeypatch)
    monkeypatch.setenv("DATABASE_URL", pair.url())
    pair.create_database("instance_one")
    document(db, "upgrade", "--kind", "instance")
    pair.await_replay()
    pair.primary.kill()
    pair.promote()
    assert [one["name"] for one in document(db, "status")] == ["instance_one"]
    document(db, "backup", "--output", "one.dump")
    document(db, "restore", "one.dump", "--database", "instance_two")
    document(db, "move", "instance_two", "--to", pair.url("instance_three"))
    with connected(pair.url("instance_three")) as connection:
        assert scalar(connection, "SELECT inet_server_port()") == pair.replica.port
        assert scalar(connection, "SELECT to_regclass('outbox') IS NOT NULL")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://me@db/x", "not a URL of PostgreSQL"),
        ("postgresql://me:secret@db/x?no_such=1", "something that PostgreSQL does not know"),
        ("postgresql://me@one:1,two:x/db", "a port is a number"),
        ("postgresql://me@db/x?pool_max_conns=many", "are numbers"),
        ("postgresql://me@db/x?pool_max_conns=2&pool_min_conns=5", "pool_min_conns <= pool_max_conns"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused_without_repeating_it(url: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        connect_engine(url, application="test")
    assert "secret" not in str(refused.value)
