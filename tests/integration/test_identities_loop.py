"""The whole loop, both daemons as they build themselves, on a server that knows each of them and encrypts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

import centralcloud.daemon
from centralcloud import jetstream
from centralcloud.config import CentralcloudSettings
from instance.cli.target import ask_hub
from instance.config import InstanceSettings
from mesh.health import nats as doctor
from mesh.identities.permissions import Identity
from schemas.insights import GlobalStatistics, StatisticsQuery
from schemas.subjects import STATISTICS_QUERY, STREAM
from shared.bus import Bus
from shared.database import connect_engine
from shared.errors import ConfigurationError
from tests.support.daemons import Daemon, Hub, Member, codebase, in_two_files, member
from tests.support.identities import Guarded, guarded, shown
from tests.support.lifecycle import started

SHARED = """
import contextlib
import os
import signal


def ask_to_stop(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(process.pid), signal.SIGHUP)
"""
HELD = "SELECT count(*) FROM insights WHERE state = 'active' AND NOT undone"
SAID = "SELECT count(*) FROM outbox"


@pytest.mark.parametrize("operator", [False, True], ids=["listed", "signed"])
async def test_what_two_learn_a_third_knows(
    tmp_path: Path, make_database: Callable[[], str], *, operator: bool
) -> None:
    with guarded(tmp_path, operator=operator, mutual=True) as server:
        async with AsyncExitStack() as stack:
            central = await stack.enter_async_context(hub(server, make_database()))
            everybody = {name: await asyncio.to_thread(server.add, name) for name in ("ann", "bob")}
            everybody["cat"] = await asyncio.to_thread(server.add, "cat", kind="read_only")
            ann, bob, cat = [
                await stack.enter_async_context(spoke(server, one, make_database(), tmp_path))
                for one in everybody.values()
            ]
            for one in (ann, bob):
                await one.shares()
            head = await central.conclude()
            assert head > 0
            for one in (ann, bob, cat):
                await one.knows(head)
            assert await cat.value(HELD) == await ann.value(HELD) > 0
            assert await cat.value(SAID) == 0
            await central.reaches("SELECT count(*) FROM instances", 2)
            await looks_at_jetstream(central.part(Bus))
            assert [told_of(one) for one in (central, ann, bob, cat)] == [[], [], [], []]

            settings = InstanceSettings(nats_url=server.url, **shown(server, everybody["cat"]))
            answer = await ask_hub(settings, STATISTICS_QUERY, StatisticsQuery(), GlobalStatistics)
            assert answer.insights > 0
            findings = await asyncio.to_thread(lambda: [*doctor.server(settings), *doctor.hub(settings)])
            assert {finding.check: finding.level for finding in findings}["hub"] == "ok"


async def test_the_credentials_of_another_end_the_daemon_and_say_why(
    tmp_path: Path, make_database: Callable[[], str]
) -> None:
    with guarded(tmp_path) as server:
        bob = await asyncio.to_thread(server.add, "bob")
        ann = bob._replace(name="ann")
        with pytest.raises(ConfigurationError, match=r"is of default\.bob.* default\.ann"):
            async with spoke(server, ann, make_database(), tmp_path, credentials_of=bob):
                pass


async def looks_at_jetstream(bus: Bus) -> None:
    """All that centralcloud ever asks about its stream."""
    await jetstream.account(bus)
    assert [found.config.name for found in await jetstream.streams(bus)] == [STREAM]
    assert len(await jetstream.consumers(bus, STREAM)) == 1
    assert await jetstream.stored_at(bus, STREAM, 1)


@asynccontextmanager
async def hub(server: Guarded, database_url: str) -> AsyncIterator[Hub]:
    """Centralcloud as who it is."""
    settings = CentralcloudSettings(
        nats_url=server.url, database_url=database_url, environment="production", **shown(server, server.hub)
    )
    engine = connect_engine(database_url, application="test")
    try:
        async with centralcloud.daemon.build(settings) as services, started(*services):
            yield Hub(services, engine)
    finally:
        await engine.dispose()


@asynccontextmanager
async def spoke(
    server: Guarded, one: Identity, database_url: str, directory: Path, *, credentials_of: Identity | None = None
) -> AsyncIterator[Member]:
    """An instance as who it is, with a codebase of its own."""
    workspace = codebase(directory / one.name, {"Makefile": "all:\n", **in_two_files(SHARED)})
    told = shown(server, credentials_of or one) | {"environment": "production"}
    if one.kind == "read_only":
        told["role"] = "read_only"
    async with member(server.url, database_url, workspace, **told) as running:
        yield running


def told_of(daemon: Daemon) -> list[str]:
    """The errors NATS told a daemon of, by their kind: also what it refused."""
    metrics = daemon.part(Bus)._metrics  # noqa: SLF001 - nobody else has them
    return [
        sample.labels["kind"]
        for metric in metrics.nats_errors.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    ]
