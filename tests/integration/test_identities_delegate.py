"""Admitting the delegate of a region: an option of its own, also where an older release made the accounts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from msgspec import structs

from mesh.identities import registry
from mesh.identities.office import REGISTRY_FILE, Office
from mesh.nats_cli import nats
from schemas import subjects
from schemas.subjects import Sender
from shared.bus import settled
from shared.errors import Exit
from tests.support.identities import Guarded, guarded
from tests.support.wait import eventually

EU = Sender("default", "eu")


def admitted(server: Guarded, *options: str) -> Any:
    """What `flocklore nats add-instance eu` says."""
    place = str(server.office.directory)
    with server.reloading():
        outcome = CliRunner().invoke(nats, ["add-instance", "eu", "--directory", place, "--json", *options])
    assert outcome.exception is None, outcome.output
    return msgspec.json.decode(outcome.stdout)


def forget_delegates(server: Guarded) -> None:
    """Make the registry what it was when there was no such kind."""
    operator = server.office.registry.operator
    assert operator is not None
    accounts = {
        tenant: structs.replace(one, signers={kind: key for kind, key in one.signers.items() if kind != "delegate"})
        for tenant, one in operator.accounts.items()
    }
    old = structs.replace(server.office.registry, operator=structs.replace(operator, accounts=accounts))
    (server.office.directory / REGISTRY_FILE).write_text(registry.encode(old))
    Office(server.office.directory).refresh()


@pytest.mark.parametrize("operator", [False, True], ids=["listed", "signed"])
async def test_a_delegate_may_tell_and_an_instance_may_not(tmp_path: Path, *, operator: bool) -> None:
    with guarded(tmp_path, operator=operator) as server:
        if operator:
            await asyncio.to_thread(forget_delegates, server)
        assert (await asyncio.to_thread(admitted, server, "--region-delegate"))["identity"] == "default.eu"
        ann = await asyncio.to_thread(server.add, "ann")
        delegate = server.office.registry.find("default", "eu").identity
        assert delegate.kind == "delegate"
        heard: list[str] = []

        async def note(message: Any) -> None:
            heard.append(message.data.decode())

        async with (
            server.client(server.hub) as hub,
            server.client(ann) as instance,
            server.client(delegate) as eu,
        ):
            for subject in (subjects.TOLD, subjects.RESULTS_QUERY, subjects.REGION_QUERY):
                await hub.subscribe(subject, cb=note)
            await settled(hub)
            for one, name in ((instance, "ann"), (eu, "eu")):
                for subject in (subjects.told(EU), subjects.told(Sender("default", "ann")), subjects.RESULTS_QUERY):
                    await one.publish(subject, f"{name} {subject}".encode())
                await one.publish(subjects.REGION_QUERY, name.encode())
                await settled(one)
            await eventually(lambda: len(heard) >= 4, what="all that may be said")
            await settled(hub)
            assert sorted(heard) == sorted(["ann", "eu", f"eu {subjects.told(EU)}", f"eu {subjects.RESULTS_QUERY}"])


def test_a_delegate_is_an_instance_and_nothing_else(tmp_path: Path) -> None:
    with guarded(tmp_path) as server:
        arguments = ["add-instance", "eu", "--directory", str(server.office.directory)]
        outcome = CliRunner().invoke(nats, [*arguments, "--region-delegate", "--kind", "observer"])
        assert (outcome.exit_code, "leave --kind out" in outcome.output) == (Exit.USAGE, True)
