"""Checks of NATS: it answers, keeps what it acknowledged, has the stream, tells the same time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import nats.errors
from nats.aio.client import Client

from mesh.health.finding import Finding, error, ok, unknown, warning
from schemas.insights import GlobalStatistics, StatisticsQuery
from schemas.subjects import STATISTICS_QUERY, STREAM, Sender, inbox_prefix
from shared.client import ask
from shared.config import Settings
from shared.embedded.nodes import running_servers, running_urls
from shared.embedded.paths import state_path
from shared.errors import NotRunningError, UnreachableError
from shared.passport import HUB, client_for, passport_of

ErrorCallback = Callable[[Exception], Awaitable[None]]

SKEW_SECONDS_MAX: Final = 2.0
CONNECT_SECONDS: Final = 3
_SENDER: Final = "doctor"


@dataclass(frozen=True)
class Answers:
    """What the server said: its greeting, and its answer about the stream with the seconds it is ahead of us."""

    version: str
    jetstream: bool
    stream: dict[str, Any]
    ahead_seconds: float | None


def servers(settings: Settings) -> list[str]:
    """NATS as configured, else the embedded servers that run; NotRunningError when neither is there."""
    found = settings.nats_servers or running_urls(state_path(settings.state_dir))
    if not found:
        raise NotRunningError("no NATS is known here; start one with `flocklore up`, or set NATS_URL")
    return found


def server(settings: Settings) -> Iterator[Finding]:
    """Everything there is to ask the server itself."""
    where = servers(settings)
    answers = asyncio.run(_ask_server(where, settings))
    yield ok("nats", f"nats-server {answers.version} at {', '.join(where)}")
    if not answers.jetstream:
        yield error("jetstream", "JetStream is off", "start nats-server with `jetstream {}` in its configuration")
        return
    yield ok("jetstream", "JetStream is on")
    yield _sync(settings)
    owner = passport_of(settings).owner()
    if not answers.stream and owner is not None and owner.tenant != HUB:
        yield unknown("stream", f"{owner.tenant}.{owner.instance} may not ask about it; centralcloud may")
    else:
        yield _stream(answers.stream)
    if answers.ahead_seconds is not None:
        yield skew("clock_nats", "NATS", answers.ahead_seconds)


def hub(settings: Settings) -> Iterator[Finding]:
    """Whether centralcloud answers a question."""
    owner = passport_of(settings).owner()
    if owner is not None and owner.tenant == HUB:
        yield unknown("hub", "centralcloud may not ask itself; ask with the credentials of an instance")
        return
    query = StatisticsQuery(tenant=settings.tenant)
    sender = Sender(settings.tenant, _SENDER)
    where = servers(settings)
    try:
        found = asyncio.run(
            ask(where, STATISTICS_QUERY, query, GlobalStatistics, sender=sender, passport=passport_of(settings))
        )
    except UnreachableError as failure:
        yield error("hub", str(failure), "start it: `flocklore up`, or `flocklore centralcloud run`")
        return
    yield ok("hub", f"centralcloud answers: {found.active_instances} instances active, {found.insights} insights")


def skew(check: str, whose: str, ahead_seconds: float) -> Finding:
    """Judge how far another clock is from ours."""
    detail = f"{whose}'s clock differs from this machine's by {abs(ahead_seconds):.2f} s"
    if abs(ahead_seconds) > SKEW_SECONDS_MAX:
        return warning(check, detail, "let both keep time by NTP; leases go by the database's clock alone")
    return ok(check, detail)


async def _ask_server(where: list[str], settings: Settings) -> Answers:
    async with connected(where, settings) as client:
        information: dict[str, Any] = client._server_info  # noqa: SLF001 - nats-py shows only parts of the greeting
        jetstream = bool(information.get("jetstream"))
        stream, ahead = await ask_stream(client) if jetstream else ({}, None)
        return Answers(str(information.get("version")), jetstream, stream, ahead)


@asynccontextmanager
async def connected(where: list[str], settings: Settings, heard: ErrorCallback | None = None) -> AsyncIterator[Client]:
    """Give a connected client; `heard` is told of errors. UnreachableError when no server answers."""
    passport = passport_of(settings)
    client = client_for(passport, where)
    try:
        await client.connect(
            where,
            connect_timeout=CONNECT_SECONDS,
            allow_reconnect=False,
            max_reconnect_attempts=0,
            error_cb=heard or _ignore,
            inbox_prefix=inbox_prefix(passport.owner() or Sender(settings.tenant, _SENDER)).encode(),
            **passport.options(),
        )
    except (nats.errors.Error, OSError, TimeoutError) as failure:
        reason = str(failure) or type(failure).__name__
        raise UnreachableError(f"NATS at {', '.join(where)} does not answer ({reason}); check NATS_URL") from failure
    try:
        yield client
    finally:
        await client.close()


async def ask_stream(client: Client) -> tuple[dict[str, Any], float | None]:
    """Ask for the stream as the protocol has it: the reply carries the server's time."""
    before = time.time()
    try:
        reply = await client.request(f"$JS.API.STREAM.INFO.{STREAM}", b"", timeout=CONNECT_SECONDS)
    except (nats.errors.Error, TimeoutError):
        return {}, None
    document: dict[str, Any] = json.loads(reply.data)
    if "ts" not in document:
        return document, None
    server_time = datetime.fromisoformat(document["ts"]).timestamp()
    return document, server_time - (before + time.time()) / 2


def _stream(document: dict[str, Any]) -> Finding:
    if "state" in document:
        messages = document["state"]["messages"]
        return ok("stream", f"the stream {STREAM} holds {messages} messages")
    if not document:
        fix = "ask again in ten seconds: the servers of a cluster elect first, and need more than half of them for it"
        return error("stream", f"nobody answers about the stream {STREAM}", fix)
    reason = document.get("error", {}).get("description", "it is not there")
    return error("stream", f"no stream {STREAM} ({reason})", "start centralcloud, which makes it")


def _sync(settings: Settings) -> Finding:
    """Whether what was acknowledged is on disk: to be read only from a configuration of our own."""
    if settings.nats_servers:
        return unknown("sync_always", "NATS does not tell; its configuration should say sync_interval: always")
    for embedded in running_servers(state_path(settings.state_dir)):
        configuration = embedded.directory / "nats.conf"
        interval = json.loads(configuration.read_bytes())["jetstream"].get("sync_interval")
        if interval != "always":
            return warning("sync_always", f"sync_interval is {interval}", f"set it to always in {configuration}")
    return ok("sync_always", "what NATS acknowledged is on disk")


async def _ignore(_error: Exception) -> None:
    """The error that ends the attempt is reported; those on the way are not."""
