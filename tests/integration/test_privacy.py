"""Nothing of a codebase leaves the machine but what the gate lets out: every message on the bus is looked at."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from nats.aio.client import Client
from nats.aio.msg import Msg

from instance.cli.patterns import patterns
from instance.config import InstanceSettings
from instance.speaker import enrol
from shared.bus import settled
from shared.embedded.nats import EmbeddedNats
from shared.schedule import Schedules
from tests.support.canaries import ON_PUBLIC_OBJECTS, SUFFIXES, Canaries, word
from tests.support.daemons import Hub, Member, codebase, hub, in_two_files, member
from tests.support.databases import instance_engine
from tests.support.studied import study
from tests.support.wait import eventually
from tests.support.wire import plain_client

LANGUAGES = set(SUFFIXES) - {"tsx"}
"""What events call the languages of the codebases: TSX is TypeScript."""

RELEASING = LANGUAGES - {"elixir"}
"""Elixir shows no module that is not well known, so there is nothing to release."""

KINDS_HEARD = (
    "intelligence.code.pattern.learned.default.",
    "intelligence.code.pattern.learned",
    "intelligence.architecture.pattern.learned.default.",
    "intelligence.sync.default.",
    "intelligence.receipt.default.",
    "intelligence.query.insights",
    "intelligence.insights.aggregated",
    "knowledge.cache.update.",
    "system.heartbeat.default.",
    "$JS.API.",
    "_INBOX.default.",
)


@dataclass
class Wiretap:
    """Everything anybody published since the tap was put in."""

    client: Client
    heard: list[Msg] = field(default_factory=list)

    async def finish(self) -> list[Msg]:
        """All that was published until now."""
        await settled(self.client)
        return self.heard

    async def mentions(self, canary: str) -> list[str]:
        """Every place of a word in a subject, in headers or a body, in whatever case, with what is around it."""
        texts = [text_of(message) for message in await self.finish()]
        around = re.compile(f".{{0,120}}{canary}.{{0,120}}", re.IGNORECASE)
        return [place for text in texts for place in around.findall(text)]

    async def templates(self) -> Iterator[tuple[str, str]]:
        """Language and text of every template of code, in events and insights alike; shapes of tables have none."""
        bodies = [body for message in await self.finish() if (body := json_of(message)) is not None]
        return (
            (one.get("language", ""), one["template"])
            for body in bodies
            for one in objects_in(body)
            if one.get("template") and one.get("language")
        )


@pytest.fixture
def server(own_nats: Callable[[], EmbeddedNats]) -> EmbeddedNats:
    return own_nats()


@pytest.fixture
async def tap(server: EmbeddedNats) -> AsyncIterator[Wiretap]:
    async with plain_client(server.url) as client:
        tap = Wiretap(client)

        async def hear(message: Msg) -> None:
            tap.heard.append(message)

        await client.subscribe(">", cb=hear)
        await settled(client)
        yield tap


@pytest.fixture
def house() -> str:
    return word()


@dataclass
class Company:
    """A hub, and members with planted codebases that all import the same package of the company."""

    hub: Hub
    stack: AsyncExitStack
    url: str
    make_database: Callable[[], str]
    directory: Path
    policy: str
    members: list[Member] = field(default_factory=list)

    async def join(self, name: str, canaries: Canaries) -> None:
        """Start a member; it has said nothing yet."""
        workspace = canaries.plant(self.directory)
        settings = {"instance_id": name, "share_code_templates": self.policy}
        joined = member(self.url, self.make_database(), workspace, **settings)
        self.members.append(await self.stack.enter_async_context(joined))

    async def learn(self) -> None:
        """Have everybody say what they know, conclude, apply, and say what may be said from then on."""
        for _ in range(2):
            for one in self.members:
                await one.shares()
            head = await self.hub.conclude()
            for one in self.members:
                await one.knows(head)


@asynccontextmanager
async def company(
    url: str, make_database: Callable[[], str], directory: Path, policy: str = "public"
) -> AsyncIterator[Company]:
    async with hub(url, make_database()) as central, AsyncExitStack() as stack:
        yield Company(central, stack, url, make_database, directory, policy)


async def test_a_canary_leaves_only_in_a_template_that_three_instances_share(
    server: EmbeddedNats, tap: Wiretap, house: str, make_database: Callable[[], str], tmp_path: Path
) -> None:
    planted = {name: Canaries(house) for name in ("ann", "bob", "cat")}
    async with company(server.url, make_database, tmp_path) as firm:
        await firm.join("ann", planted["ann"])
        await firm.learn()
        planted["ann"].plant_more(tmp_path / f"{planted['ann'].path}_root")
        await firm.learn()
        assert await tap.mentions(house) == []
        await firm.join("bob", planted["bob"])
        await firm.learn()
        assert await tap.mentions(house) == []
        assert {language for language, _ in await tap.templates()} == LANGUAGES

        await firm.join("cat", planted["cat"])
        await firm.learn()
        assert {language for language, text in await tap.templates() if house in text.lower()} == RELEASING
        for message in await tap.finish():
            assert house not in without_templates(message).lower()
    for canaries in planted.values():
        for canary in (canaries.own, *canaries.never):
            assert await tap.mentions(canary) == [], canaries
    heard = {message.subject for message in await tap.finish()}
    for kind in (*KINDS_HEARD, "system.goodbye.default."):
        assert any(subject.startswith(kind) for subject in heard), kind


async def test_own_names_on_objects_of_public_packages_stay_here(
    server: EmbeddedNats, tap: Wiretap, make_database: Callable[[], str], tmp_path: Path
) -> None:
    own = word()
    workspace = codebase(tmp_path / "ann", in_two_files(ON_PUBLIC_OBJECTS.format(own=own)))
    async with hub(server.url, make_database()), member(server.url, make_database(), workspace) as ann:
        await ann.shares()
    assert await tap.mentions(own) == []


async def test_with_all_templates_shared_still_no_literal_comment_path_or_secret_leaves(
    server: EmbeddedNats, tap: Wiretap, house: str, make_database: Callable[[], str], tmp_path: Path
) -> None:
    planted = {name: Canaries(house) for name in ("ann", "bob")}
    async with company(server.url, make_database, tmp_path, "all") as firm:
        for name, canaries in planted.items():
            await firm.join(name, canaries)
        await firm.learn()
    assert any(house in text.lower() for _, text in await tap.templates())
    for canaries in planted.values():
        for canary in canaries.never:
            assert await tap.mentions(canary) == [], canaries


async def test_with_no_templates_shared_none_leaves_however_many_have_it(
    server: EmbeddedNats, tap: Wiretap, house: str, make_database: Callable[[], str], tmp_path: Path
) -> None:
    planted = {name: Canaries(house) for name in ("ann", "bob", "cat")}
    async with company(server.url, make_database, tmp_path, "never") as firm:
        for name, canaries in planted.items():
            await firm.join(name, canaries)
        await firm.learn()
        assert await firm.hub.value("SELECT count(*) FROM insights WHERE state = 'active'") > len(SUFFIXES)
    assert list(await tap.templates()) == []
    for canaries in planted.values():
        for canary in (house, canaries.own, *canaries.never):
            assert await tap.mentions(canary) == [], canaries


async def test_the_preview_prints_exactly_what_then_leaves(
    server: EmbeddedNats,
    tap: Wiretap,
    make_database: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, root = make_database(), tmp_path / "ann"
    async with instance_engine(url) as engine:
        await enrol(engine, InstanceSettings(instance_id="ann", nats_url=server.url))
        await study(engine, root)
    monkeypatch.setenv("DATABASE_URL", url)
    previewed = await asyncio.to_thread(CliRunner().invoke, patterns, ["preview", "--json"])
    assert previewed.exit_code == 0, previewed.stderr
    assert await tap.finish() == []

    async with hub(server.url, make_database()), member(server.url, url, root) as ann:
        await ann.part(Schedules).run_now("pattern_sync")
        await ann.all_confirmed()
        await eventually(lambda: tap.heard, what="something is heard")
    published = {  # once each: until the stream is there, the same envelope is tried again
        event["id"]: event
        for message in await tap.finish()
        if message.subject.endswith(".learned.default.ann")
        for event in json.loads(message.data)["data"]["events"]
    }
    promised = [json.loads(line) for line in previewed.stdout.splitlines()]
    assert promised
    assert sorted(map(said_by, published.values())) == sorted(map(said_by, promised))


def text_of(message: Msg) -> str:
    return f"{message.subject} {message.reply} {message.headers} {message.data.decode(errors='replace')}"


def json_of(message: Msg) -> Any:
    """The body, or None for what is not JSON (acknowledgements and the like)."""
    try:
        return json.loads(message.data)
    except ValueError:
        return None


def objects_in(body: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document, itself included."""
    if isinstance(body, dict):
        yield body
    children = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    for child in children:
        yield from objects_in(child)


def without_templates(message: Msg) -> str:
    """A message with every template blanked out."""
    body = json_of(message)
    for one in objects_in(body):
        one.pop("template", None)
    return f"{message.subject} {message.reply} {message.headers} {json.dumps(body)}"


def said_by(event: dict[str, Any]) -> str:
    """What an event says; its id and time are made when it is said."""
    return json.dumps({key: value for key, value in event.items() if key not in {"id", "time"}}, sort_keys=True)
