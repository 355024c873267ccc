"""The whole loop, both daemons as they build themselves: from a codebase to insights in all of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import msgspec
import pytest
from nats.aio.msg import Msg
from sqlalchemy import text

from centralcloud.quarantine import quarantine, release
from instance.store import insights
from schemas import subjects
from schemas.codec import decode, decode_event, encode
from schemas.envelope import Envelope
from schemas.events import ArchitecturePatternLearned, CodePatternLearned
from schemas.insights import Insight, PatternAggregation, Provenance, StatisticsQuery, WhyQuery
from shared.bus import settled
from shared.client import data_of
from shared.database import transaction
from tests.support.asking import ask
from tests.support.daemons import Fleet, Hub, Member, codebase, in_two_files, member
from tests.support.wait import eventually

SHARED = """
import contextlib
import os
import signal


def ask_to_stop(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(process.pid), signal.SIGHUP)
"""
OTHER = """
import json
import sys


def show(rows):
    for row in rows:
        json.dump(row, sys.stdout, sort_keys=True, ensure_ascii=False)
"""
IN_HOUSE = """
from acmehouse import vault


def keep(value):
    return vault.put(value, timeout=2)
"""
TEMPLATE = "os . killpg ( os . getpgid ( $1 . pid ) , signal . SIGHUP )"
IN_HOUSE_TEMPLATE = "return vault . put ( $1 , timeout = 2 )"

HELD = "SELECT count(*) FROM insights WHERE state = 'active' AND NOT undone"
OBSERVED = "SELECT count(*) FROM observations WHERE NOT forgotten"


@pytest.fixture
async def central(fleet: Fleet) -> Hub:
    return await fleet.hub()


async def insight_with(one: Member, template: str) -> Insight:
    """The insight an instance holds with this template; there must be one."""
    async with one.engine.connect() as connection:
        held = await insights.active(connection, limit=500, include_undone=True)
    (found,) = (each.insight for each in held if each.insight.template == template)
    return found


async def test_an_idiom_of_two_becomes_an_insight_in_the_third(fleet: Fleet, central: Hub) -> None:
    ann, bob = await fleet.member("ann", SHARED, OTHER), await fleet.member("bob", SHARED)
    cat = await fleet.member("cat", OTHER.replace("json", "pickle"))
    for one in (ann, bob, cat):
        await one.shares()
    head = await central.conclude()
    for one in (ann, bob, cat):
        await one.knows(head)

    insight = await insight_with(cat, TEMPLATE)
    assert (insight.instances, insight.repositories, insight.files) == (2, 2, 4)
    assert insight.contributors == ("ann", "bob")
    assert 0 < insight.confidence < insight.rate < 1
    assert await cat.value("SELECT count(*) FROM patterns WHERE fingerprint = decode(:id, 'hex')", id=insight.id) == 0
    assert await cat.value(HELD) == await ann.value(HELD) == await central.value(HELD.replace(" AND NOT undone", ""))
    said = [int(await one.value(OBSERVED)) for one in (ann, bob, cat)]
    assert await central.value(OBSERVED) == sum(said)


async def test_why_leads_down_to_the_event_as_it_was_received(fleet: Fleet, central: Hub) -> None:
    ann, bob = await fleet.member("ann", SHARED), await fleet.member("bob", SHARED)
    for one in (ann, bob):
        await one.shares()
    await ann.knows(await central.conclude())
    insight = await insight_with(ann, TEMPLATE)
    client = await fleet.client()
    asked = encode(WhyQuery(insight_id=insight.id))
    provenance = data_of((await client.request(subjects.WHY_QUERY, asked)).data, Provenance)
    assert [evidence.instance for evidence in provenance.observations] == ["ann", "bob"]
    received = text("""
        SELECT first_seq, body FROM received_envelopes
         WHERE instance = :instance AND epoch = :epoch AND :seq BETWEEN first_seq AND last_seq
    """)
    for evidence in provenance.observations:
        values = {"instance": evidence.instance, "epoch": evidence.epoch, "seq": evidence.seq}
        async with central.engine.connect() as connection:
            first_seq, body = (await connection.execute(received, values)).one()
        event = msgspec.json.decode(bytes(body))[evidence.seq - first_seq]
        assert event["id"] == evidence.event_id
        assert event["fingerprint"] == insight.id
        assert event["template"] == TEMPLATE
    statistics = await ask(client, subjects.STATISTICS_QUERY, encode(StatisticsQuery()))
    assert statistics["success"] is True
    assert statistics["data"]["known_instances"] == 2


async def test_nothing_is_published_when_nothing_changed(fleet: Fleet, central: Hub) -> None:
    ann = await fleet.member("ann", SHARED)
    await ann.shares()
    client, heard = await fleet.client(), list[Msg]()

    async def hear(message: Msg) -> None:
        heard.append(message)

    await client.subscribe(subjects.STREAM_SUBJECT, cb=hear)
    await settled(client)
    await ann.study()
    workspace = fleet.directory / "ann"
    (workspace / "source_0_one.py").rename(workspace / "moved.py")
    await ann.shares()
    assert heard == []
    async with ann.engine.connect() as connection:
        before = set((await connection.execute(text("SELECT encode(fingerprint, 'hex') FROM observations"))).scalars())
    codebase(workspace, in_two_files(OTHER, "more"))
    await ann.shares()
    await eventually(lambda: heard, what="what changed is published")
    events = [event for message in heard for event in events_in(message)]
    learned = {event.fingerprint for event in events if isinstance(event, CodePatternLearned)}
    assert learned
    assert learned.isdisjoint(before)


async def test_quarantine_takes_away_everywhere_and_release_brings_back(fleet: Fleet, central: Hub) -> None:
    members = [await fleet.member(name, SHARED) for name in ("ann", "bob", "cat")]
    for one in members[:2]:
        await one.shares()
    head = await central.conclude()
    for one in members:
        await one.knows(head)
    assert await insight_with(members[2], TEMPLATE)

    await quarantine(central.engine, "default", "bob", "a test")
    head = await central.conclude()
    for one in members:
        await one.knows(head)
        assert await one.value(HELD) == 0

    await release(central.engine, "default", "bob")
    head = await central.conclude()
    for one in members:
        await one.knows(head)
        assert (await insight_with(one, TEMPLATE)).contributors == ("ann", "bob")


async def test_undone_here_stays_undone_here_whatever_the_fleet_learns(fleet: Fleet, central: Hub) -> None:
    ann, bob = await fleet.member("ann", SHARED), await fleet.member("bob", SHARED)
    for one in (ann, bob):
        await one.shares()
    await ann.knows(await central.conclude())
    insight = await insight_with(ann, TEMPLATE)
    async with transaction(ann.engine) as connection:
        assert await insights.set_undone(connection, insight.id, undone=True)
        assert not await insights.set_undone(connection, insight.id, undone=True)
    held = await ann.value(HELD)
    cat = await fleet.member("cat", SHARED)
    await cat.shares()
    head = await central.conclude()
    for one in (ann, bob):
        await one.knows(head)
    assert (await insight_with(ann, TEMPLATE)).instances == 3
    assert await ann.value(HELD) == held
    assert await bob.value(HELD) == held + 1
    async with transaction(ann.engine) as connection:
        assert await insights.set_undone(connection, insight.id, undone=False)
        steps = await insights.history(connection, insight.id)
    changes = [change for change, _ in groupby(steps, key=lambda step: step.change)]
    assert changes == ["applied", "undone", "applied", "redone"]


async def test_who_was_away_catches_up_with_all_that_came_and_went(
    fleet: Fleet, central: Hub, make_database: Callable[[], str]
) -> None:
    ann, bob = await fleet.member("ann", SHARED), await fleet.member("bob", SHARED)
    for one in (ann, bob):
        await one.shares()
    away_database, workspace = make_database(), fleet.workspace("cat")
    async with member(fleet.url, away_database, workspace) as cat:
        await cat.knows(await central.conclude())
        insight = await insight_with(cat, TEMPLATE)
        before = await cat.value("SELECT instance_id FROM identity")

    for path in (fleet.directory / "bob").glob("source_0_*.py"):
        path.write_text(OTHER)
    codebase(fleet.directory / "ann", in_two_files(OTHER, "more"))
    for one in (ann, bob):
        await one.shares()
    head = await central.conclude()

    async with member(fleet.url, away_database, workspace) as cat:
        await cat.knows(head)
        assert await cat.value("SELECT instance_id FROM identity") == before
        assert await cat.value("SELECT state FROM insights WHERE id = :id", id=insight.id) == "revoked"
        await ann.knows(head)
        active = "SELECT string_agg(id || version, ',' ORDER BY id) FROM insights WHERE state = 'active'"
        assert await cat.value(active) == await ann.value(active)
        assert (
            await cat.value("SELECT max(n) FROM (SELECT count(*) n FROM insight_changes GROUP BY id, version) x") == 1
        )


async def test_plain_subscribers_hear_everything_with_its_sender(fleet: Fleet, central: Hub) -> None:
    ann, bob = await fleet.member("ann", SHARED), await fleet.member("bob", SHARED)
    client = await fleet.client()
    code = await client.subscribe("intelligence.code.pattern.learned")
    layout = await client.subscribe("intelligence.architecture.pattern.learned")
    concluded = await client.subscribe("intelligence.insights.*")
    await settled(client)
    for one in (ann, bob):
        await one.shares()
    await central.conclude()

    for subscription, kind, topic in (
        (code, CodePatternLearned, "code.pattern"),
        (layout, ArchitecturePatternLearned, "architecture.pattern"),
    ):
        unheard = {f"intelligence.{topic}.learned.default.{sender}" for sender in ("ann", "bob")}
        while unheard:
            message = await subscription.next_msg(timeout=5)
            assert message.headers
            unheard.discard(message.headers["Nats-Subject"])
            assert all(isinstance(event, kind) for event in events_in(message))
    architecture_patterns = 0
    while not architecture_patterns:
        message = await concluded.next_msg(timeout=5)
        aggregation = decode(message.data, PatternAggregation)
        assert message.subject == "intelligence.insights.aggregated"
        assert aggregation.head >= aggregation.previous_head
        architecture_patterns = aggregation.summary.architecture_patterns


async def test_a_template_with_an_in_house_name_is_released_once_three_instances_have_it(
    fleet: Fleet, central: Hub
) -> None:
    observed = "SELECT count(*) FROM observations WHERE template = :template"
    known = f"{HELD} AND body->>'template' = :template"
    ann, bob = await fleet.member("ann", IN_HOUSE), await fleet.member("bob", IN_HOUSE)
    for one in (ann, bob):
        await one.shares()
    head = await central.conclude()
    for one in (ann, bob):
        await one.knows(head)
        await one.shares()
    assert await central.value(observed, template=IN_HOUSE_TEMPLATE) == 0

    cat = await fleet.member("cat", IN_HOUSE)
    await cat.shares()
    head = await central.conclude()
    for one in (ann, bob, cat):
        await one.knows(head)
        await one.shares()
    assert await central.value(observed, template=IN_HOUSE_TEMPLATE) == 3
    head = await central.conclude()
    for one in (ann, bob, cat):
        await one.knows(head)
        assert await one.value(known, template=IN_HOUSE_TEMPLATE) == 1


def events_in(message: Msg) -> list[Any]:
    """The events of an envelope."""
    events = decode(message.data, Envelope).data.events
    return [decode_event(event) for event in events]
