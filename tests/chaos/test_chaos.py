"""Nothing is lost and nothing counted twice, whatever is killed, wiped, restored, cloned and frozen."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from nats.errors import Error as NatsError

from centralcloud.ingest import stream
from instance.config import InstanceSettings
from instance.speaker import enrol
from schemas import subjects
from shared.bus import Bus
from shared.embedded.nats import EmbeddedNats
from shared.metrics import Metrics
from tests.chaos import textbook
from tests.chaos.arena import Mesh
from tests.chaos.faults import broker_wiped_under_a_dead_hub
from tests.chaos.run import Outcome, run, table
from tests.chaos.verdict import count, judge
from tests.support.databases import instance_engine
from tests.support.lifecycle import started
from tests.support.patterns import learn
from tests.support.wait import eventually
from tests.support.wire import plain_client

OwnNats = Callable[[], EmbeddedNats]
MakeDatabase = Callable[[], str]

SEEDS = range(1, 11)
EVENTS_MIN = 50_000


def blameless(outcome: Outcome) -> None:
    assert (outcome.verdict.lost, outcome.verdict.double) == (0, 0), table([outcome])
    assert outcome.replayed_otherwise == 0
    assert outcome.bugs == {}
    assert outcome.verdict.standing > 0


async def test_a_short_run_loses_nothing(scratch: Path, own_nats: OwnNats, make_database: MakeDatabase) -> None:
    outcome = await run(scratch, own_nats(), make_database, seed=7, instances=3, faults=4, seconds=8)
    blameless(outcome)


@pytest.mark.chaos
async def test_ten_runs_lose_nothing(scratch: Path, own_nats: OwnNats, make_database: MakeDatabase) -> None:
    outcomes = []
    for seed in SEEDS:
        directory = scratch / str(seed)
        directory.mkdir()
        server = own_nats()
        outcomes.append(await run(directory, server, make_database, seed=seed, instances=6, faults=14, seconds=35))
        print(table(outcomes[-1:]))  # noqa: T201 - a long run says how it goes
        server.stop()
    report(table(outcomes))
    for outcome in outcomes:
        blameless(outcome)
    assert sum(outcome.events for outcome in outcomes) >= EVENTS_MIN


@pytest.mark.chaos
async def test_the_textbook_way_loses_under_the_same_faults(
    scratch: Path, own_nats: OwnNats, make_database: MakeDatabase
) -> None:
    mesh = Mesh(scratch, own_nats(), make_database, ["book-0", "book-1", "book-2"], textbook=True)
    databases = {one.plan.name: one.plan.database_url for one in mesh.instances}
    async with mesh.running():
        await eventually(lambda: _holds(mesh.hub_url, 100), timeout_seconds=30, what="observations")
        await broker_wiped_under_a_dead_hub(mesh, random.Random(1))  # noqa: S311 - only chooses pauses
        mesh.be_quiet()
        await eventually(lambda: all(map(_emptied, databases.values())), 30, what="empty outboxes")
        await eventually(lambda: _drained(mesh.broker.url), 30, what="everything read")
    assert judge(mesh.hub_url, databases).lost > 0


async def test_the_textbook_way_loses_what_a_wiped_broker_had(own_nats: OwnNats, make_database: MakeDatabase) -> None:
    """The same verdict, on the same fault without chance: the harness can tell a loss."""
    server, own_url, hub_url = own_nats(), make_database(), make_database()
    async with instance_engine(own_url) as engine:
        me = await enrol(engine, InstanceSettings(instance_id="one", nats_url=server.url))
        bus = Bus([server.url], client_name="one", inbox_prefix="_INBOX.default.one", metrics=Metrics())
        async with started(bus, textbook.Relay(engine, bus, me)):
            async with textbook.build(server.url, hub_url) as services, started(*services):
                await learn(engine, range(20))
                await eventually(lambda: _holds(hub_url, 20), what="everything in the central database")
            await learn(engine, range(20, 50))
            await eventually(lambda: _emptied(own_url), what="an empty outbox")
            assert server.child is not None
            server.child.kill()
            shutil.rmtree(server.directory / "jetstream")
            server.start()
            async with textbook.build(server.url, hub_url) as services, started(*services):
                await learn(engine, range(50, 60))
                await eventually(lambda: _holds(hub_url, 30), what="the last ones in the central database")
    verdict = judge(hub_url, {"one": own_url})
    assert (verdict.lost, verdict.double) == (30, 0)


def report(text: str) -> None:
    print(text)  # noqa: T201 - the table is what a long run is for
    if path := os.environ.get("FLOCKLORE_CHAOS_REPORT"):
        Path(path).write_text(text + "\n", encoding="utf-8")


def _holds(hub_url: str, least: int) -> bool:
    return count(hub_url, "SELECT count(*) FROM observations") >= least


def _emptied(database_url: str) -> bool:
    return count(database_url, "SELECT count(*) FROM outbox WHERE kind = 'pattern'") == 0


async def _drained(nats_url: str) -> bool:
    """Whether the consumer has acknowledged everything in the stream."""
    async with plain_client(nats_url) as client:
        try:
            consumer = await client.jetstream().consumer_info(subjects.STREAM, stream.CONSUMER)
        except NatsError:
            return False
    return not consumer.num_pending and not consumer.num_ack_pending
