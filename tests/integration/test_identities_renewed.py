"""Certificates that are replaced while a daemon runs: it reads what is in the files by then, and goes on by itself."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mesh.identities import certificates
from mesh.identities.files import write_private
from mesh.identities.permissions import Identity
from schemas.subjects import Sender, inbox_prefix
from shared.bus import Bus
from shared.embedded.ports import LOOPBACK
from shared.metrics import Metrics
from tests.support.identities import Guarded, guarded
from tests.support.lifecycle import started
from tests.support.wait import eventually

FORMS = pytest.mark.parametrize("mutual", [False, True], ids=["server", "both"])


@FORMS
async def test_a_new_authority_is_believed_without_a_restart(tmp_path: Path, *, mutual: bool) -> None:
    with guarded(tmp_path, tls=True, mutual=mutual) as server:
        ann = await asyncio.to_thread(server.add, "ann")
        async with bus_of(server, ann) as bus:
            await eventually(bus.connected.is_set)
            first = bus.client
            await asyncio.to_thread(renew, server, ann)
            await eventually(lambda: bus.connected.is_set() and bus.client is not first, 20, "back")


@FORMS
async def test_who_believes_another_authority_waits_for_the_right_one(tmp_path: Path, *, mutual: bool) -> None:
    with guarded(tmp_path, tls=True, mutual=mutual) as server:
        ann = await asyncio.to_thread(server.add, "ann")
        authority = server.office.directory / "tls" / "ca.pem"
        right = authority.read_text()
        (tmp_path / "other").mkdir()
        certificates.make_authority(tmp_path / "other" / "tls")
        shutil.copy(tmp_path / "other" / "tls" / "ca.pem", authority)
        async with bus_of(server, ann) as bus:
            await eventually(lambda: server.log.read_text().count("TLS handshake error") > 1, 20, "refused again")
            assert not bus.connected.is_set()
            write_private(authority, right)
            await eventually(bus.connected.is_set, 20, "let in")


@asynccontextmanager
async def bus_of(server: Guarded, one: Identity) -> AsyncIterator[Bus]:
    prefix = inbox_prefix(Sender(one.tenant, one.name))
    bus = Bus([server.url], client_name="test", inbox_prefix=prefix, metrics=Metrics(), passport=server.passport(one))
    async with started(bus):
        yield bus


def renew(server: Guarded, one: Identity) -> None:
    """Make another authority, have it sign for the server and for a client, and start the server on it."""
    tls = server.office.directory / "tls"
    shutil.rmtree(tls)
    certificates.make_authority(tls)
    certificates.sign_server(tls, (LOOPBACK,))
    if server.office.registry.server.mutual:
        write_private(server.office.certificate(one), certificates.sign_client(tls, one.label))
    server.stop()
    server.start()
