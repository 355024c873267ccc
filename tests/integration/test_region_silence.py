"""When nothing leaves a region, and what says so: pinned tenants, hubs that do not answer, wrong settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from centralcloud.region.pinning import pin
from centralcloud.store import pins
from instance.cli.region import region as region_command
from instance.region.delegate import Delegate
from shared.database import transaction
from shared.errors import ConfigurationError
from tests.support.commands import alone, documented
from tests.support.daemons import member
from tests.support.known import learned, take_in
from tests.support.regions import (
    Region,
    World,
    brought_up,
    knowing,
    looked,
    tell,
)

SAID = "SELECT count(*) FROM observations WHERE NOT forgotten"


async def test_of_a_pinned_tenant_nothing_is_heard_above(world: World) -> None:
    tap, eu = await world.tap(), await knowing(world, "eu", tenant="acme")
    await belongs(eu, "acme")
    delegate = await world.delegate(eu, tenant="acme")
    await looked(delegate)
    reason = str(await delegate.value("SELECT reason FROM region"))
    assert reason.startswith("pinned to eu")
    assert await tap.mentions("acme") == []

    async with transaction(eu.hub.engine) as connection:
        await pins.drop(connection, "acme")
    await brought_up(delegate, eu)
    assert await tap.mentions("acme") != []
    assert await world.hub.value(SAID) == 3

    await belongs(eu, "acme")
    await looked(delegate)
    before = len(await tap.mentions("acme"))
    for name in ("ann", "bob"):
        await eu.says(name, 5, learned("secret", f"{name} of eu"), tenant="acme")
    await looked(delegate)
    assert len(await tap.mentions("acme")) == before
    assert await delegate.value(SAID) == 3


async def test_without_a_word_of_the_regions_hub_nothing_leaves(world: World) -> None:
    tap, eu = await world.tap(), await knowing(world, "eu")
    await eu.stack.aclose()
    delegate = await world.delegate(eu)
    await delegate.reaches("SELECT reason LIKE '%does not say whether anything may leave%' FROM region", wanted=True)
    assert await tap.mentions("default.eu") == []


async def test_when_the_regions_hub_falls_silent_the_delegate_leaves_and_comes_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    eu = await knowing(world, "eu")
    one = await world.delegate(eu)
    await brought_up(one, eu)
    (above,) = one.part(Delegate).parts
    assert above.running
    monkeypatch.setattr("instance.region.delegate.WORD_SECONDS", 0.0)
    await eu.stack.aclose()
    one.part(Delegate).wake()
    await one.reaches("SELECT leaves FROM region", wanted=False)
    assert not above.running
    await eu.lose_hub(eu.database)
    for name in ("ann", "bob"):
        await eu.says(name, 5, learned("late", f"{name} of eu"))
    await brought_up(one, eu)
    assert await world.hub.value(SAID) == 4


async def test_a_delegate_asks_the_hub_of_its_own_region_alone(world: World) -> None:
    tap, us = await world.tap(), await knowing(world, "us")
    delegate = await world.delegate(us, instance_id="eu", region="eu")
    await looked(delegate)
    assert await delegate.value("SELECT reason FROM region") == (
        "this is the delegate of eu, and the hub it asks is of us"
    )
    assert await tap.mentions("default.eu") == []
    assert await delegate.value(SAID) == 0


async def test_a_region_that_hears_nobody_is_heard_nevertheless(world: World) -> None:
    eu = await world.region("eu", region_delegate="")
    await tell(eu)
    delegate = await world.delegate(eu)
    await brought_up(delegate, eu)
    await delegate.knows(await above_as_well(world))
    delegate.part(Delegate).wake()
    await delegate.reaches("SELECT leaves AND reason LIKE '%this region hears nobody%' FROM region", wanted=True)
    assert await world.hub.value(SAID) == 5


async def above_as_well(world: World) -> int:
    """Have the hub above know a pattern of others; returns the version of its insights."""
    for name in ("us", "ap"):
        await take_in(world.hub.engine, name, 1, learned("above", f"{name} itself"))
    return await world.hub.conclude()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"region": ""}, "region: not set"),
        ({"region_nats_credentials": "/nowhere.creds"}, "cannot read /nowhere.creds"),
        ({"region_nats_tls_key": "/nowhere.key"}, "region_nats_tls_key"),
        ({"region_nats_url": "nats://eu.example.org", "environment": "production"}, "region_nats_credentials"),
    ],
)
async def test_a_wrong_setting_is_named(
    make_database: Callable[[], str], tmp_path: Path, changes: dict[str, str], key: str
) -> None:
    settings = {"region": "eu", "region_nats_url": "nats://127.0.0.1:1"} | changes
    with pytest.raises(ConfigurationError, match=key):
        async with member("nats://127.0.0.1:1", make_database(), tmp_path, instance_id="eu", **settings):
            pass


async def test_the_command_says_what_goes_up_and_down_and_what_does_not(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eu, database = await knowing(world, "eu"), world.make_database()
    delegate = await world.delegate(eu, database)
    await brought_up(delegate, eu)
    with alone(database, tmp_path, monkeypatch):
        told = await documented(region_command)
        assert (told["instance_id"], told["leaves"], told["patterns"], told["backlog"]) == ("eu", True, 3, 0)
        assert told["region_version"] == await eu.hub.value("SELECT version FROM insight_heads")
        await belongs(eu, "default")
        await looked(delegate)
        told = await documented(region_command)
        assert (told["leaves"], told["reason"].startswith("pinned to eu")) == (False, True)


async def belongs(region: Region, tenant: str) -> None:
    """Pin a tenant to a region."""
    async with transaction(region.hub.engine) as connection:
        await pin(connection, tenant, region.name)
