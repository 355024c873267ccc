"""Regions below a hub, all real: what they know together goes up, what is known above comes down, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
from msgspec import structs

from centralcloud.quarantine import quarantine
from instance.store import insights
from schemas.events import CodePatternLearned
from schemas.insights import Insight
from tests.support.canaries import Canaries, word
from tests.support.daemons import Hub, Member, codebase, in_two_files
from tests.support.identities import guarded, shown
from tests.support.known import learned, register, results, take_in
from tests.support.regions import Region, World, brought_up, told_down, whole_due

SHARED = """
import contextlib
import os
import signal


def ask_to_stop(process):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(os.getpgid(process.pid), signal.SIGHUP)
"""
ALONE = """
import json
import sys


def show(rows):
    for row in rows:
        json.dump(row, sys.stdout, sort_keys=True, ensure_ascii=False)
"""
TEMPLATE = "os . killpg ( os . getpgid ( $1 . pid ) , signal . SIGHUP )"
HEAD = "SELECT head FROM uplink"


async def test_what_two_regions_know_is_known_in_the_third(world: World) -> None:
    tap, house = await world.tap(), word()
    planted = [Canaries(house), Canaries(house)]
    eu, us, ap = [await world.region(name) for name in ("eu", "us", "ap")]
    for canaries, sources in zip(planted, ([SHARED, ALONE], [SHARED]), strict=True):
        await join(world, eu, *sources, workspace=canaries.plant(world.directory))
    await join(world, ap, ALONE)
    delegates = {one.name: await world.delegate(one) for one in (eu, us, ap)}
    for region in (eu, ap):
        await region.conclude()
    (own,) = await known_to(eu.hub)
    for name in ("us_0", "us_1"):
        await us.says(name, 1, as_seen(own, name))
    for region in (eu, us, ap):
        await brought_up(delegates[region.name], region)
    head = await world.hub.conclude()

    (above,) = await known_to(world.hub)
    assert (above.contributors, above.instances, above.repositories) == (("eu", "us"), 2, 2)
    await told_down(delegates["ap"], ap, head)
    await ap.members[0].knows(await ap.hub.conclude())
    (told,) = await held(ap.members[0])
    assert (told.above, told.contributors) == (True, ("eu", "us"))
    await told_down(delegates["eu"], eu, head)
    await eu.members[0].knows(await eu.hub.conclude())
    (still,) = await held(eu.members[0])
    assert (still.above, still.contributors) == (False, ("eu_0", "eu_1"))

    await brought_up(delegates["ap"], ap)
    said = "SELECT count(*) FROM observations WHERE fingerprint = decode(:id, 'hex')"
    assert await delegates["eu"].value(said, id=above.id) == 1
    assert await delegates["ap"].value(said, id=above.id) == 0
    assert await world.hub.conclude() == head

    assert await tap.mentions(TEMPLATE)
    secrets = [house, *(secret for one in planted for secret in (one.own, *one.never))]
    for secret in ("sort_keys", "eu_0", "us_1", str(world.directory), *secrets):
        assert await tap.mentions(secret) == [], secret


async def test_results_are_the_regions_own_to_the_millionth_of_a_cent(world: World) -> None:
    eu = await world.region("eu")
    await register(eu.hub.engine, "ann", "bob")
    ann, bob = results("small", [1_000_001, 2], 1), results("small", [3], 1)
    await eu.says("ann", 1, ann, results("large", [5], 0))
    await eu.says("bob", 1, bob)
    delegate = await world.delegate(eu)
    await brought_up(delegate, eu)
    assert await costs(world) == {"small": [3, 1_000_006]}
    said = await delegate.value(HEAD)
    await whole_due(delegate)
    await brought_up(delegate, eu)
    assert await delegate.value(HEAD) == said

    more = structs.replace(bob, version=2, sums=results("small", [3, 40], 2).sums)
    await eu.says("bob", 2, more, results("large", [70], 1))
    await brought_up(delegate, eu)
    assert await costs(world) == {"small": [4, 1_000_046], "large": [2, 75]}

    await quarantine(eu.hub.engine, "default", "bob", "lies")
    await whole_due(delegate)
    await brought_up(delegate, eu)
    assert await costs(world) == {"small": [0, 0], "large": [0, 0]}


async def test_a_delegate_shows_each_server_what_it_has_for_it(
    make_database: Callable[[], str], tmp_path: Path
) -> None:
    for name in ("eu", "world"):
        (tmp_path / name).mkdir()
    with guarded(tmp_path / "world") as above, guarded(tmp_path / "eu", mutual=True) as regional:
        here = await asyncio.to_thread(regional.add, "eu", kind="delegate")
        there = await asyncio.to_thread(above.add, "eu")
        servers = iter((above, regional))
        async with AsyncExitStack() as stack:
            world = World(stack, lambda: next(servers), make_database, tmp_path)
            await world.begin(**shown(above, above.hub))
            eu = await world.region("eu", **shown(regional, regional.hub))
            await register(eu.hub.engine, "ann", "bob")
            for name in ("ann", "bob"):
                await eu.says(name, 1, learned("loop", f"{name}'s"), results("small", [7], 1))
            own = {f"region_{key}": value for key, value in shown(regional, here).items()}
            delegate = await world.delegate(eu, environment="production", **own, **shown(above, there))
            await brought_up(delegate, eu)
            assert await world.hub.value("SELECT count(*) FROM observations WHERE instance = 'eu'") == 1
            assert await costs(world) == {"small": [2, 14]}
            await register(world.hub.engine, "us", "ap")
            for name in ("us", "ap"):
                await take_in(world.hub.engine, name, 1, learned("retry", f"{name}'s"))
            await told_down(delegate, eu, await world.hub.conclude())
            assert await eu.hub.value("SELECT count(*) FROM insights_above") == 1


async def join(world: World, region: Region, *sources: str, workspace: Path | None = None) -> None:
    """Have an instance join a region that has each source in two files, beside what its workspace has already."""
    name = f"{region.name}_{len(region.members)}"
    files = {
        path: text for number, one in enumerate(sources) for path, text in in_two_files(one, f"source_{number}").items()
    }
    await world.join(region, name, codebase(workspace or world.directory / name, files))


async def held(one: Member) -> list[Insight]:
    """The insights on the shared idiom that an instance uses."""
    async with one.engine.connect() as connection:
        found = await insights.active(connection, limit=500)
    return [each.insight for each in found if each.insight.template == TEMPLATE]


async def known_to(hub: Hub) -> list[Insight]:
    """The insights on the shared idiom of a hub."""
    found = await hub.value(
        "SELECT json_agg(body) FROM insights WHERE state = 'active' AND body->>'template' = :template",
        template=TEMPLATE,
    )
    return msgspec.convert(found or [], list[Insight])


def as_seen(insight: Insight, instance: str) -> CodePatternLearned:
    """The same pattern in the repository of another instance."""
    return structs.replace(
        learned("it", f"repository of {instance}"),
        fingerprint=insight.id, language=insight.language, view=insight.view, template=insight.template,
    )  # fmt: skip


async def costs(world: World) -> dict[str, list[int]]:
    """Results and millionths of a cent that the hub above counts, by model."""
    rows = await world.hub.value("SELECT json_object_agg(model, ARRAY[results, cost_microcents]) FROM result_states")
    return dict(rows or {})
