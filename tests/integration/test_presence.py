"""Heartbeats at the hub: however many there are, they are one write a second, and what came later stays true."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest
from nats.aio.client import Client
from sqlalchemy import text

from schemas import subjects
from schemas.codec import encode
from schemas.subjects import Sender
from schemas.sync import Goodbye, Heartbeat
from shared.bus import settled
from shared.database import transaction
from shared.embedded.nats import EmbeddedNats
from tests.support.fleet import Hub, hub
from tests.support.patterns import scalar
from tests.support.wire import plain_client

INSTANCES = 1000
ROUNDS = 3

_REGISTERED = """
    INSERT INTO instance_registry (tenant, instance_id, status, holder, last_heartbeat)
    SELECT 'default', 'sim-' || n, 'offline', lpad(to_hex(n), 32, '0'), now() - interval '1 hour'
      FROM generate_series(0, {instances} - 1) AS n;
    CREATE TABLE writes (at timestamptz DEFAULT clock_timestamp());
    CREATE FUNCTION note_write() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN INSERT INTO writes DEFAULT VALUES; RETURN NULL; END $$;
    CREATE TRIGGER note_write AFTER UPDATE ON instance_registry FOR EACH STATEMENT EXECUTE FUNCTION note_write();
"""
ALIVE = "SELECT count(*) FROM instance_registry WHERE status = 'online' AND head = {head}"


@pytest.fixture
async def central(own_nats: Callable[[], EmbeddedNats], make_database: Callable[[], str]) -> AsyncIterator[Hub]:
    async with hub(own_nats().url, make_database()) as running:
        await running.receives()
        async with transaction(running.engine) as connection:
            for statement in _REGISTERED.format(instances=INSTANCES).split(";\n"):
                if statement.strip():
                    await connection.execute(text(statement))
        yield running


@pytest.fixture
async def client(central: Hub) -> AsyncIterator[Client]:
    async with plain_client(central.nats_url) as connected:
        yield connected


async def beat(
    client: Client, number: int, *, head: int = 1, holder: int | None = None, status: str = "online"
) -> None:
    said = Heartbeat(
        time=datetime.now(UTC), holder=f"{number if holder is None else holder:032x}", head=head, status=status
    )
    await client.publish(subjects.heartbeat(Sender("default", f"sim-{number}")), encode(said))


async def test_a_thousand_instances_are_one_write_a_second(central: Hub, client: Client) -> None:
    began = time.monotonic()
    for head in range(1, ROUNDS + 1):
        for number in range(INSTANCES):
            await beat(client, number, head=head)
        await settled(client)
    await central.reaches(ALIVE.format(head=ROUNDS), INSTANCES)
    writes = int(str(await scalar(central.engine, "SELECT count(*) FROM writes")))
    assert 1 <= writes <= 1 + (time.monotonic() - began)
    assert await scalar(central.engine, "SELECT min(last_heartbeat) > now() - interval '30 s' FROM instance_registry")


async def test_a_heartbeat_that_waits_does_not_undo_a_goodbye(central: Hub, client: Client) -> None:
    await beat(client, 0)
    word = Goodbye(time=datetime.now(UTC), holder=f"{0:032x}", reason="stopped")
    await settled(client)
    await client.publish(subjects.goodbye(Sender("default", "sim-0")), encode(word))
    await beat(client, 1)
    await central.reaches(ALIVE.format(head=1), 1)
    assert await scalar(central.engine, "SELECT status FROM instance_registry WHERE instance_id = 'sim-0'") == "offline"


async def test_nobody_beats_for_another_and_no_odd_word_stops_the_others(central: Hub, client: Client) -> None:
    await beat(client, 0, head=1)
    await beat(client, 0, head=7, holder=99)
    await beat(client, 1, head=1, status="of tomorrow")
    await beat(client, 2, head=2, status="draining")
    await central.reaches(ALIVE.format(head=1), 2)
    await central.reaches("SELECT status FROM instance_registry WHERE instance_id = 'sim-2'", "draining")
    assert await scalar(central.engine, ALIVE.format(head=7)) == 0
