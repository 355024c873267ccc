"""Checks for a mesh that others rely on: who may speak, what is encrypted, what survives a disk, who leads."""

from __future__ import annotations

import asyncio
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from nats.aio.client import Client
from psycopg import Connection

from mesh.databases import find_databases
from mesh.health.finding import Finding, error, ok, unknown, warning
from mesh.health.nats import ask_stream, servers
from mesh.health.nats import connected as connected_to_nats
from schemas.subjects import STREAM, Sender, receipt
from shared.config import FILE_NAME, Settings
from shared.database import connect_engine, transaction
from shared.embedded.ports import LOOPBACK_HOSTS
from shared.grants import overlapping
from shared.inspection import connected, scalar
from shared.passport import PRODUCTION, passport_of
from shared.schedule import DAY

REPLICAS_MIN: Final = 3
TOKEN_LENGTH_MIN: Final = 24
_PROBE_SECONDS: Final = 2.0
_LEADER: Final = "orchestrator:leader"
_READABLE_BY_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

_LEADERS: Final = "SELECT count(*) FROM distributed_locks WHERE lock_name = %s AND expires_at > clock_timestamp()"
_CANDIDATES: Final = """
    SELECT count(*) FROM workers
     WHERE status = 'online' AND role IN ('hybrid', 'worker')
       AND last_heartbeat_at > clock_timestamp() - interval '1 minute'
"""
_NEVER_DURABLE: Final = "SELECT count(*) FROM watermarks WHERE wm > 0 AND durable_wm = 0"
_ENCRYPTED: Final = "SELECT coalesce(bool_or(ssl), false) FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
_IS_LOCAL: Final = "SELECT inet_server_addr() IS NULL OR host(inet_server_addr()) IN ('127.0.0.1', '::1')"


def environment(settings: Settings) -> Iterator[Finding]:
    """Whether the daemons are told that this is production: then they refuse to go without credentials."""
    if settings.environment == PRODUCTION:
        yield ok("environment", f"environment is {PRODUCTION}")
    else:
        yield warning("environment", f"environment is {settings.environment}", f'set environment = "{PRODUCTION}"')


def secrets(settings: Settings) -> Iterator[Finding]:
    """Whether files with secrets are their owner's alone, and tokens cannot be guessed."""
    named = [Path(FILE_NAME), *(Path(path) for path in (settings.nats_credentials, settings.nats_tls_key) if path)]
    exposed = [path for path in named if path.is_file() and _open_to_others(path) and _secret(path)]
    for path in exposed:
        yield error("secrets", f"others can read {path}", f"chmod 600 {path}")
    for name in ("http_token", "http_read_token"):
        token = getattr(settings, name)
        if token is not None and len(token) < TOKEN_LENGTH_MIN:
            yield warning("secrets", f"{name} has {len(token)} characters", "make one with `openssl rand -base64 32`")
    if not exposed:
        yield ok("secrets", "files with secrets are their owner's alone")


def database(settings: Settings) -> Iterator[Finding]:
    """Whether PostgreSQL is one that can be backed up and replaced, and is spoken to in the clear only here."""
    if not settings.database_url:
        yield warning("database_embedded", "PostgreSQL is the embedded one", "set DATABASE_URL to one with a replica")
        return
    found = find_databases(settings)
    if not found:
        return
    with connected(found[0].url) as connection:
        if scalar(connection, _ENCRYPTED):
            yield ok("database_tls", "PostgreSQL is spoken to over TLS")
        elif scalar(connection, _IS_LOCAL):
            yield ok("database_tls", "PostgreSQL is on this machine")
        else:
            yield error(
                "database_tls", "passwords and data go in the clear", "add ?sslmode=verify-full to DATABASE_URL"
            )
    for one in found:
        if one.kind == "centralcloud":
            with connected(one.url) as connection:
                yield from _central(connection)
            yield asyncio.run(_one_holder(one.url))


def bus(settings: Settings) -> Iterator[Finding]:
    """Whether NATS keeps who speaks apart, encrypts, and has what it acknowledged more than once."""
    if not settings.nats_servers:
        yield warning("nats_embedded", "NATS is the embedded one", "set NATS_URL to a cluster of three")
        return
    yield from asyncio.run(_ask(settings))


def _open_to_others(path: Path) -> bool:
    """On a read-only mount whoever runs this container said who reads it, and nobody in it can change that."""
    return bool(path.stat().st_mode & _READABLE_BY_OTHERS) and not os.statvfs(path).f_flag & os.ST_RDONLY


def _secret(path: Path) -> bool:
    """A flocklore.toml may be for everybody, as long as there is no secret in it."""
    if path.name != FILE_NAME:
        return True
    text = path.read_text(encoding="utf-8", errors="replace")
    return "token" in text or any(urlsplit(word.strip("\"'")).password for word in text.split() if "://" in word)


def _central(connection: Connection[Any]) -> Iterator[Finding]:
    leaders, candidates = scalar(connection, _LEADERS, _LEADER), scalar(connection, _CANDIDATES)
    if leaders == 1:
        yield ok("leader", "one centralcloud leads")
    else:
        yield error("leader", "no centralcloud leads", "start one: `flocklore centralcloud run`")
    if candidates < 2:  # noqa: PLR2004 - one may die
        yield warning("standby", "nobody takes over from the leader", "run a second centralcloud on the same database")
    else:
        yield ok("standby", f"{candidates} centralclouds may lead")
    if count := scalar(connection, _NEVER_DURABLE):
        fix = "run `flocklore db backup` on a timer: instances keep for 14 days what no backup has"
        yield warning("backup", f"of {count} epochs of instances nothing is in a verified backup", fix)
    else:
        yield ok("backup", "every instance's events are in a verified backup")


async def _one_holder(url: str) -> Finding:
    engine = connect_engine(url, application="flocklore doctor")
    try:
        async with transaction(engine) as connection:
            held_by_two = await overlapping(connection, DAY)
    finally:
        await engine.dispose()
    if held_by_two:
        return error("locks", f"{', '.join(held_by_two)}: two held it at one time", "please report this")
    return ok("locks", "no lock had two holders in the last day")


async def _ask(settings: Settings) -> list[Finding]:
    where, owner = servers(settings), passport_of(settings).owner()
    denied = asyncio.Event()

    async def note(said: Exception) -> None:
        if "permissions violation" in str(said).lower():
            denied.set()

    async with connected_to_nats(where, settings, note) as client:
        return [_encrypted(client, where), await _apart(client, settings, owner, denied), *await _kept(client)]


def _encrypted(client: Client, where: list[str]) -> Finding:
    hosts = {urlsplit(url if "//" in url else f"nats://{url}").hostname for url in where}
    if client._server_info.get("tls_required"):  # noqa: SLF001 - nats-py shows only parts of the greeting
        return ok("nats_tls", "NATS is spoken to over TLS")
    if hosts <= LOOPBACK_HOSTS:
        return ok("nats_tls", "NATS is on this machine")
    return error("nats_tls", "what is learned goes in the clear", "see `flocklore nats init --tls`")


async def _apart(client: Client, settings: Settings, owner: Sender | None, denied: asyncio.Event) -> Finding:
    """Try to speak as centralcloud to an instance that cannot exist, which the server is to forbid."""
    if owner is not None and owner.tenant != settings.tenant:
        return unknown("permissions", f"{owner.tenant}.{owner.instance} may speak to all; try it as an instance")
    nobody = Sender(settings.tenant, f"nobody-{uuid.uuid4().hex[:12]}")
    await client.publish(receipt(nobody), b"")
    try:
        await asyncio.wait_for(denied.wait(), _PROBE_SECONDS)
    except TimeoutError:
        fix = "give each its own credentials: `flocklore nats init`, `flocklore nats add-instance`"
        return error("permissions", "whoever connects may speak as anybody", fix)
    return ok("permissions", "NATS refuses who speaks as another")


async def _kept(client: Client) -> list[Finding]:
    document, _ = await ask_stream(client)
    if not document:
        return [unknown("replicas", f"nothing is told of the stream {STREAM} to who asks")]
    replicas = document.get("config", {}).get("num_replicas", 0)
    if replicas < REPLICAS_MIN:
        fix = f"run three servers in a cluster, and set stream_replicas = {REPLICAS_MIN}"
        return [warning("replicas", f"the stream {STREAM} is on {replicas or 'no'} server", fix)]
    offline = [peer["name"] for peer in document.get("cluster", {}).get("replicas", []) if not peer.get("current")]
    if offline:
        return [warning("replicas", f"{', '.join(offline)} is behind or away", "look at that NATS server")]
    return [ok("replicas", f"the stream {STREAM} is on {replicas} servers")]
