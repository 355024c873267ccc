"""A real nats-server on a directory of identities, and clients with the credentials of each."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.errors import Error

from mesh.identities.office import Office, found
from mesh.identities.permissions import Identity, Kind, identity
from mesh.identities.registry import Server
from schemas.subjects import Sender, inbox_prefix
from shared.embedded.broker import nats_server_program
from shared.embedded.children import Child
from shared.embedded.ports import LOOPBACK, free_port
from shared.passport import HUB, Passport, client_for, is_refusal
from tests.support.wait import eventually, eventually_sync


class Guarded:
    """A server that knows its clients; it runs from `start` to `stop`."""

    def __init__(self, directory: Path, *, operator: bool = False, tls: bool = False, mutual: bool = False) -> None:
        encrypts = tls or mutual
        server = Server(LOOPBACK, free_port(0), (LOOPBACK,) if encrypts else (), tls=encrypts, mutual=mutual)
        found(directory, server, with_operator=operator)
        self.office = Office(directory)
        self.url = server.url
        self.hub = identity(HUB, "default" if operator else "hub", "centralcloud")
        self.log = directory.parent / f"{directory.name}.log"
        self._child: Child | None = None

    def add(self, name: str, tenant: str = "default", kind: Kind = "instance") -> Identity:
        """Admit somebody."""
        one = identity(tenant, name, kind)
        with self.reloading():
            self.office.add(one)
        return one

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Wait at the end until the server has read its configuration again, if it is one that does."""
        before = self._reloads()
        yield
        if self._child is not None and self.office.registry.operator is None:
            eventually_sync(lambda: self._reloads() > before, what="configuration read again")

    def _reloads(self) -> int:
        return self.log.read_text().count("Reloaded server configuration") if self.log.exists() else 0

    def passport(self, one: Identity) -> Passport:
        """What somebody shows to the server."""
        server = self.office.registry.server
        authority = str(self.office.directory / "tls" / "ca.pem") if server.tls else None
        certificate = str(self.office.certificate(one)) if server.mutual else None
        return Passport(str(self.office.credentials(one)), authority, certificate)

    @asynccontextmanager
    async def client(self, one: Identity, **options: Any) -> AsyncIterator[Client]:
        """Give a client that is this one, and notes in `refusals` what it was refused."""
        passport = self.passport(one)
        async with connected(passport, self.url, Sender(one.tenant, one.name), **options) as client:
            yield client

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        directory = self.office.directory
        (directory / "nats.pid").unlink(missing_ok=True)
        command = [str(nats_server_program()), "-c", str(directory / "nats.conf")]
        self._child = Child.spawn(command, log=self.log, environment={"PATH": os.defpath})
        eventually_sync(lambda: "Server is ready" in self.log.read_text(), what="nats-server ready")
        eventually_sync((directory / "nats.pid").exists)

    def stop(self) -> None:
        """End the server."""
        if self._child is not None:
            self._child.stop(signal.SIGTERM, 10)
            self._child = None
            self.log.unlink()


@asynccontextmanager
async def connected(
    passport: Passport, url: str, sender: Sender, *, patience_seconds: float = 2.0, **options: Any
) -> AsyncIterator[Client]:
    """Give a client that shows a passport; it does not come back by itself."""

    async def ignore(_error: Exception) -> None:
        """What is refused shows in what is heard."""

    async def connect() -> Client | None:
        """A server takes a moment to read what it was told to."""
        client = client_for(passport, [url])
        try:
            await client.connect([url], inbox_prefix=inbox_prefix(sender), **wishes)
        except (Error, ConnectionResetError) as error:
            await client.close()
            if is_refusal(error) or isinstance(error, ConnectionResetError):
                return None
            raise
        return client

    wishes: dict[str, Any] = {"allow_reconnect": False, "error_cb": ignore, **passport.options(), **options}
    client = await eventually(connect, patience_seconds, what=f"{sender} let in")
    assert client is not None
    try:
        yield client
    finally:
        await client.close()


def shown(server: Guarded, one: Identity) -> dict[str, Any]:
    """The settings of somebody."""
    passport = server.passport(one)
    return {
        "nats_credentials": passport.credentials,
        "nats_tls_ca": passport.authority,
        "nats_tls_cert": passport.certificate,
    }


@contextmanager
def guarded(directory: Path, **wishes: bool) -> Iterator[Guarded]:
    """Run such a server for the length of a block."""
    server = Guarded(directory / "identities", **wishes)
    server.start()
    try:
        yield server
    finally:
        server.stop()
