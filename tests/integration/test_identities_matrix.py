"""Every subject and every kind of identity on a real server: what is allowed arrives, what is not is never seen."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from mesh.identities import claims
from mesh.identities.keys import key_of, new_key
from mesh.identities.operator import credentials_text
from mesh.identities.permissions import Identity, Kind
from mesh.identities.server import reload
from schemas.channels import CHANNELS, Channel
from schemas.subjects import Sender
from shared.bus import settled
from shared.passport import Passport
from tests.support.identities import Guarded, connected, guarded
from tests.support.wait import eventually

EVERY: Final[frozenset[Kind]] = frozenset({"instance", "delegate", "read_only", "observer"})
ASKING: Final[frozenset[Kind]] = frozenset({"instance", "delegate", "read_only"})
INSTANCE: Final[frozenset[Kind]] = frozenset({"instance", "delegate"})
DELEGATE: Final[frozenset[Kind]] = frozenset({"delegate"})
HUB: Final[frozenset[Kind]] = frozenset({"centralcloud"})
NOBODY: Final[frozenset[Kind]] = frozenset()


class Rule(NamedTuple):
    """Who may say it and who may hear it; where an address holds an instance, that one or centralcloud."""

    say: frozenset[Kind]
    hear: frozenset[Kind]


RULES: Final = {
    "learned": Rule(INSTANCE | HUB, HUB),
    "learnedPublic": Rule(NOBODY, frozenset({"observer"})),
    "receipt": Rule(HUB, INSTANCE),
    "sync": Rule(INSTANCE, HUB),
    "flow": Rule(HUB, EVERY | HUB),
    "heartbeat": Rule(INSTANCE, HUB),
    "goodbye": Rule(INSTANCE, HUB),
    "insights": Rule(HUB, EVERY),
    "routing": Rule(HUB, EVERY),
    "insightsQuery": Rule(ASKING, HUB),
    "cacheSync": Rule(ASKING, HUB),
    "cacheUpdate": Rule(HUB, frozenset({"observer"})),
    "whyQuery": Rule(ASKING, HUB),
    "recommendationsQuery": Rule(ASKING, HUB),
    "calibrationQuery": Rule(ASKING, HUB),
    "routingQuery": Rule(ASKING, HUB),
    "routeQuery": Rule(INSTANCE, INSTANCE),
    "instancesQuery": Rule(ASKING, HUB),
    "statisticsQuery": Rule(ASKING, HUB),
    "statistics": Rule(HUB, EVERY),
    "regionQuery": Rule(ASKING, HUB),
    "resultsQuery": Rule(DELEGATE, HUB),
    "told": Rule(DELEGATE, HUB),
    "health": Rule(frozenset({"observer"}), HUB),
}
"""Written by hand, beside `schemas/channels.py` and not from it: a new channel is a decision."""

HEALTH: Final = Channel("health", "$SRV.PING", "", "subscriber", ("centralcloud",), "Of NATS, and none of ours.")
WHERE: Final = {"domain": "code", "kind": "pattern", "topic": "aggregated", "insight_id": "0" * 32}
INSTANCES: Final = [Sender("default", "ann"), Sender("default", "bob"), Sender("acme", "ann")]
SENDERS: Final = [*INSTANCES, Sender("default", "eu"), Sender("default", "rod"), Sender("default", "obs")]
"""Eu is a region's delegate. Rod only reads and obs observes: neither may speak, not even for himself."""
FOREIGN: Final = [
    "intelligence.made.up.learned.default.ann",
    "intelligence.code.pattern.learned.default.ann.more",
    "intelligence.code.pattern.learned.default",
    "anything",
    "$JS.API.STREAM.DELETE.LEARNED",
    "$JS.API.STREAM.PURGE.LEARNED",
    "$JS.API.STREAM.CREATE.OWN",
    "$JS.API.STREAM.MSG.GET.OTHER",
    "$SYS.REQ.SERVER.PING",
]
"""What nobody may say or hear: no topic of ours, and the administration of everything."""
NETS: Final = [
    ">",
    "*",
    "intelligence.>",
    "intelligence.*.*.learned.*.ann",
    "intelligence.receipt.*.ann",
    "intelligence.receipt.default.*",
    "system.>",
    "_INBOX.>",
    "_INBOX.*.ann.>",
    "_INBOX.default.>",
    "$SYS.>",
    "$JS.>",
]
"""Subscriptions that would catch what is not one's own."""


class Subject(NamedTuple):
    """A subject without wildcards, and of which channel and instance it is."""

    text: str
    channel: Channel
    owner: Sender | None


def addresses() -> list[Subject]:
    """Every channel, where it names an instance for each of ours."""
    return [
        Subject(channel.address.format(**WHERE, tenant=owner.tenant, instance=owner.instance), channel, owner)
        if "{instance}" in channel.address
        else Subject(channel.address.format(**WHERE), channel, None)
        for channel in (*CHANNELS, HEALTH)
        for owner in (SENDERS if "{instance}" in channel.address else [SENDERS[0]])
    ]


def inboxes() -> list[str]:
    return [f"_INBOX.{sender.tenant}.{sender.instance}.x" for sender in SENDERS]


def concerns(one: Identity, subject: Subject) -> bool:
    own = subject.owner is None or subject.owner == Sender(one.tenant, one.name)
    return own or one.kind == "centralcloud"


def may_say(one: Identity, subject: Subject) -> bool:
    return one.kind in RULES[subject.channel.name].say and concerns(one, subject)


def may_hear(one: Identity, subject: Subject) -> bool:
    return one.kind in RULES[subject.channel.name].hear and concerns(one, subject)


def may_reply(one: Identity, inbox: str) -> bool:
    return one.kind == "centralcloud" or (one.kind in INSTANCE and inbox == f"_INBOX.{one.label}.x")


class World(NamedTuple):
    """Everybody connected, by who it is; and in every account somebody who may do anything."""

    clients: dict[Identity, Client]
    witnesses: dict[str, Client]

    def account(self, one: Identity) -> str:
        """The account somebody is in."""
        tenant = one.name if one.kind == "centralcloud" else one.tenant
        return tenant if tenant in self.witnesses else "default"


@pytest.fixture(params=[False, True], ids=["listed", "signed"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path, operator=request.param) as running:
        yield running


@pytest.fixture
async def world(server: Guarded, tmp_path: Path) -> AsyncIterator[World]:
    everybody = [
        server.hub,
        *[await asyncio.to_thread(server.add, sender.instance, sender.tenant) for sender in INSTANCES],
        await asyncio.to_thread(server.add, "eu", kind="delegate"),
        await asyncio.to_thread(server.add, "rod", kind="read_only"),
        await asyncio.to_thread(server.add, "obs", kind="observer"),
    ]
    async with AsyncExitStack() as stack:
        witnesses = {
            tenant: await stack.enter_async_context(
                connected(Passport(str(path)), server.url, Sender("witness", tenant))
            )
            for tenant, path in all_powerful(server, tmp_path).items()
        }
        clients = {one: await stack.enter_async_context(server.client(one)) for one in everybody}
        yield World(clients, witnesses)


def all_powerful(server: Guarded, directory: Path) -> dict[str, Path]:
    """Credentials for everything in each account; nothing of ours makes such a thing."""
    office, key = server.office, new_key("user")
    operator = office.registry.operator
    if operator is None:
        path = office.directory / "auth.conf"
        document = json.loads(path.read_text())
        document["authorization"]["users"].append({"nkey": key.public})
        with server.reloading():
            path.write_text(json.dumps(document))
            reload(office.directory)
        texts = {"default": key.seed}
    else:
        texts = {}
        for tenant, account in operator.accounts.items():
            itself = key_of((office.directory / "keys" / f"{account.public_key}.seed").read_text().strip())
            texts[tenant] = credentials_text(claims.system_user_jwt(itself, key.public, 1_700_000_000), key)
    for tenant, text in texts.items():
        (directory / tenant).write_text(text)
    return {tenant: directory / tenant for tenant in texts}


def test_every_channel_has_a_rule() -> None:
    assert {channel.name for channel in (*CHANNELS, HEALTH)} == set(RULES)


async def test_what_may_be_said_arrives_and_every_spoof_is_refused(world: World) -> None:
    heard: dict[str, set[tuple[str, str]]] = {account: set() for account in world.witnesses}
    for account, witness in world.witnesses.items():
        await witness.subscribe(">", cb=noting(heard[account]))
        await settled(witness)
    said = [subject.text for subject in addresses()] + inboxes() + FOREIGN
    for (one, client), text in itertools.product(world.clients.items(), said):
        await client.publish(text, one.label.encode())
    await all_settled(world)

    wanted: dict[str, set[tuple[str, str]]] = {account: set() for account in world.witnesses}
    for one in world.clients:
        allowed = {subject.text for subject in addresses() if may_say(one, subject)}
        allowed |= {inbox for inbox in inboxes() if may_reply(one, inbox)}
        wanted[world.account(one)] |= {(one.label, text) for text in allowed}
    assert all(wanted.values())
    await eventually(lambda: all(wanted[account] <= heard[account] for account in wanted), what="all that is allowed")
    await all_settled(world)
    assert heard == wanted


async def test_what_may_be_heard_is_and_every_snoop_sees_nothing(world: World) -> None:
    subjects = addresses()
    listened = [subject.text for subject in subjects] + inboxes() + FOREIGN + NETS
    heard: dict[Identity, set[tuple[str, str]]] = {one: set() for one in world.clients}
    for (one, client), text in itertools.product(world.clients.items(), listened):
        await client.subscribe(text, cb=noting(heard[one], text))
    await all_settled(world)
    for witness, text in itertools.product(world.witnesses.values(), [one.text for one in subjects] + inboxes()):
        await witness.publish(text, text.encode())
    await all_settled(world)

    wanted = {one: {subject.text for subject in subjects if may_hear(one, subject)} for one in world.clients}
    for one in world.clients:
        wanted[one] |= {f"_INBOX.{one.label}.x"} & set(inboxes())
    await eventually(lambda: all(wanted[one] <= caught(heard[one]) for one in wanted), what="all that is allowed")
    await all_settled(world)
    assert {one.label: caught(heard[one]) ^ wanted[one] for one in wanted} == {one.label: set() for one in wanted}
    clients = [one for one in wanted if one.kind != "centralcloud"]  # which may listen to less than it may
    assert {(one.label, net) for one in clients for net, _ in heard[one] if net in NETS} == set()


async def test_no_queue_group_is_a_way_around(world: World) -> None:
    ann = next(client for one, client in world.clients.items() if one.label == "default.ann")
    heard: set[tuple[str, str]] = set()
    for net in ("intelligence.receipt.default.bob", "intelligence.>", "_INBOX.default.bob.>"):
        await ann.subscribe(net, queue="centralcloud", cb=noting(heard, net))
    await settled(ann)
    for subject in ("intelligence.receipt.default.bob", "_INBOX.default.bob.x"):
        await world.witnesses["default"].publish(subject, b"x")
    await all_settled(world)
    assert heard == set()


def noting(heard: set[tuple[str, str]], net: str = "") -> Callable[[Msg], Awaitable[None]]:
    """A callback that notes by which net, or else by whose word, a subject was heard."""

    async def note(message: Msg) -> None:
        heard.add((net or message.data.decode(), message.subject))

    return note


def caught(heard: set[tuple[str, str]]) -> set[str]:
    return {text for _, text in heard}


async def all_settled(world: World) -> None:
    parties: Sequence[Client] = [*world.clients.values(), *world.witnesses.values()]
    for client in parties:
        await settled(client)
    for client in parties:
        await settled(client)
