"""Commands with the configuration of one tenant print nothing of another, but what that one shares."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from centralcloud.cli import centralcloud
from centralcloud.queries.service import Queries
from instance.cli.insights import insights
from instance.config import InstanceSettings
from instance.speaker import enrol
from instance.store import insights as held
from mesh.identities.permissions import Identity
from shared.bus import Bus
from shared.database import transaction
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import Exit, NotFoundError
from shared.metrics import Metrics
from tests.support.commands import alone, documented, invoked
from tests.support.databases import instance_engine
from tests.support.identities import Guarded, guarded
from tests.support.lifecycle import started
from tests.support.observed import digest
from tests.support.processes import REPOSITORY
from tests.support.studied import insight as made_up
from tests.support.tenants import HERE, YONDER, accept, betrays, end, insight, instance, offer, two_tenants

AT_ONCE = 2
FORGED = {"FLOCKLORE_TENANT": YONDER, "INSTANCE_ID": instance(YONDER)}


class Done(NamedTuple):
    """How a command ended, and everything it printed."""

    code: int
    said: str
    complained: str


class Machine:
    """A machine of the tenant `here`: its commands, with its settings, database and credentials."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(self, *words: str, **changes: str) -> Done:
        """Run `flocklore` as a process."""
        async with self._room:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mesh", *words, cwd=REPOSITORY, env={**self.environment, **changes},
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            said, complained = await process.communicate()
        return Done(process.returncode or 0, said.decode(), complained.decode())


@pytest.fixture
async def engine(postgres: EmbeddedPostgres, make_database: Callable[[], str]) -> AsyncIterator[AsyncEngine]:
    async with two_tenants(postgres, make_database()) as engine:
        yield engine


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as running:
        yield running


@pytest.fixture
async def machine(
    engine: AsyncEngine, server: Guarded, make_database: Callable[[], str], tmp_path: Path
) -> AsyncIterator[Machine]:
    """Have a hub answer, and an instance of `here` that holds an insight both tenants have."""
    mine = await asyncio.to_thread(server.add, instance(HERE), HERE)
    await asyncio.to_thread(server.add, instance(YONDER), YONDER)
    url = make_database()
    environment = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "FLOCKLORE_STATE_DIR": str(tmp_path / "state"),
        "DATABASE_URL": url,
        "NATS_URL": server.url,
        "FLOCKLORE_NATS_CREDENTIALS": server.passport(mine).credentials or "",
        "FLOCKLORE_TENANT": HERE,
        "INSTANCE_ID": instance(HERE),
    }
    async with instance_engine(url) as own:
        await enrol(own, InstanceSettings(instance_id=instance(HERE), tenant=HERE, nats_url=server.url))
        async with transaction(own) as connection:
            await held.apply(connection, [made_up(1, id=insight(YONDER), contributors=())], 1)
    async with answering(server, engine, server.hub):
        yield Machine(environment)


@pytest.fixture
def here(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have commands in this process run as on that machine."""
    with alone(machine.environment["DATABASE_URL"], tmp_path, monkeypatch):
        for name, value in machine.environment.items():
            monkeypatch.setenv(name, value)
        yield


@asynccontextmanager
async def answering(server: Guarded, engine: AsyncEngine, hub: Identity) -> AsyncIterator[None]:
    bus = Bus([server.url], client_name="hub", inbox_prefix="_INBOX.centralcloud.test", metrics=Metrics(),
              passport=server.passport(hub))  # fmt: skip
    Queries(engine, bus)
    async with started(bus):
        await asyncio.wait_for(bus.connected.wait(), 10)
        yield


async def test_no_command_prints_what_is_another_s(machine: Machine) -> None:
    asked: list[tuple[tuple[str, ...], dict[str, str], Exit]] = [
        (("instance", "list"), {}, Exit.OK),
        (("instance", "list"), FORGED, Exit.FAILED),
        (("insights", "list", "--tenant", YONDER), {}, Exit.FAILED),
        (("insights", "list", "--tenant", YONDER), {"FLOCKLORE_TENANT": YONDER}, Exit.FAILED),
        (("insights", "why", insight(YONDER)), {}, Exit.OK),
        (("insights", "recommend", "--explain"), {}, Exit.OK),
    ]
    done = await asyncio.gather(*(machine.run(*words, "--json", **changes) for words, changes, _ in asked))
    for (words, changes, code), one in zip(asked, done, strict=True):
        assert one.code == code, (words, changes, one)
        assert not betrays(one.said + one.complained, YONDER, *FORGED.values(), insight(YONDER)), (words, changes)
    listed = {one["instance_id"] for one in json.loads(done[0].said)["instances"]}
    assert listed == {instance(HERE), instance(HERE, "bob")}
    why = json.loads(next(one for (words, *_), one in zip(asked, done, strict=True) if "why" in words).said)
    assert "no insight" in why["unanswered"], "it is asked about its own, and has none like that"


async def test_a_command_prints_what_another_shares_while_it_does(
    machine: Machine, engine: AsyncEngine, here: None
) -> None:
    await offer(engine)
    await accept(engine)
    shared = {insight(YONDER), digest(f"loop of {YONDER}")}
    listed = await machine.run("insights", "list", "--tenant", YONDER, "--json")
    assert {one["id"] for one in json.loads(listed.said)} == shared
    assert not betrays(listed.said, YONDER, *shared, YONDER)
    assert await documented(insights, "list", "--tenant", YONDER, "--language", "go") == []
    assert f"habit-{YONDER}" in (await invoked(insights, "list", "--tenant", YONDER)).stdout
    assert not betrays((await invoked(insights, "list")).stdout, YONDER), "nothing of it is kept"
    await end(engine, YONDER)
    after = await machine.run("insights", "list", "--tenant", YONDER, "--json")
    assert (after.code, after.said) == (Exit.FAILED, "")
    assert "shares nothing" in after.complained
    own, no_name = [await invoked(insights, "list", "--tenant", one) for one in (HERE, "*")]
    assert (own.exit_code, no_name.exit_code) == (Exit.USAGE, Exit.USAGE)
    assert "leave out --tenant" in own.stderr


async def test_an_operator_shares_between_tenants_from_the_command_line(
    postgres: EmbeddedPostgres, make_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_database()
    monkeypatch.setenv("DATABASE_URL", url)

    async def said(*words: str) -> Any:
        return await documented(centralcloud, "tenants", *words)

    async with two_tenants(postgres, url):
        early = await invoked(centralcloud, "tenants", "accept", YONDER, HERE)
        assert isinstance(early.exception, NotFoundError)
        offered = await said("share", YONDER, HERE, "--by", "Yu")
        assert offered == {"owner": YONDER, "reader": HERE, "done": "offered", "changed": True}
        assert not (await said("share", YONDER, HERE))["changed"]
        assert (await said("accept", YONDER, HERE, "--by", "Hal"))["changed"]
        (one,) = (await said("list"))["sharing"]
        assert [one[name] for name in ("owner", "reader", "offered_by", "accepted_by")] == [YONDER, HERE, "Yu", "Hal"]
        assert (await said("list", "--tenant", "third"))["sharing"] == []
        assert "Hal" in (await invoked(centralcloud, "tenants", "list", "--tenant", HERE)).stdout
        assert (await said("end", YONDER, HERE))["changed"]
        assert "as before" in (await invoked(centralcloud, "tenants", "end", YONDER, HERE)).stdout
        assert (await said("list"))["sharing"] == []
