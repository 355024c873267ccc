"""Everything that is done to a mesh, and the order chance chooses."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from tests.chaos.arena import Instance, Mesh

Fault = Callable[[Mesh, random.Random], Awaitable[None]]

LEARN_SECONDS: Final = 3.0
"""For so long a mesh goes on from where it will be thrown back to."""
FROZEN_SECONDS: Final = 4.0
"""Longer than a lease of an instance."""


async def broker_killed(mesh: Mesh, chance: random.Random) -> None:
    """Kill -9, and a moment without."""
    async with mesh.broker_lock:
        mesh.kill_broker()
        await _moment(chance)
        await mesh.start_broker()


async def broker_wiped(mesh: Mesh, chance: random.Random) -> None:
    """An empty disk."""
    async with mesh.broker_lock:
        mesh.kill_broker()
        mesh.wipe_broker()
        await _moment(chance)
        await mesh.start_broker()


async def broker_wiped_under_a_dead_hub(mesh: Mesh, chance: random.Random) -> None:
    """What the broker acknowledged and nobody had read is gone."""
    async with mesh.hub_lock, mesh.broker_lock:
        mesh.hub.kill()
        await asyncio.sleep(chance.uniform(1, 2))
        mesh.kill_broker()
        mesh.wipe_broker()
        await mesh.start_broker()
        await _moment(chance)
        mesh.hub.start()


async def broker_rolled_back(mesh: Mesh, chance: random.Random) -> None:
    """An older copy of its disk."""
    older = mesh.broker.directory / "older"
    async with mesh.broker_lock:
        mesh.kill_broker()
        await asyncio.to_thread(shutil.copytree, mesh.store, older)
        await mesh.start_broker()
        await asyncio.sleep(LEARN_SECONDS)
        mesh.kill_broker()
        mesh.wipe_broker()
        await asyncio.to_thread(shutil.move, older, mesh.store)
        await _moment(chance)
        await mesh.start_broker()


async def broker_frozen(mesh: Mesh, chance: random.Random) -> None:
    """Stands still with every connection open."""
    async with mesh.broker_lock:
        assert mesh.broker.child is not None
        os.kill(mesh.broker.child.pid, signal.SIGSTOP)
        await asyncio.sleep(chance.uniform(1, FROZEN_SECONDS))
        os.kill(mesh.broker.child.pid, signal.SIGCONT)


async def hub_killed(mesh: Mesh, chance: random.Random) -> None:
    """Kill -9, and a moment without."""
    async with mesh.hub_lock:
        mesh.hub.kill()
        await _moment(chance)
        mesh.hub.start()


async def hub_restored(mesh: Mesh, chance: random.Random) -> None:
    """An older copy of the central database."""
    backup_url = mesh.make_database()
    async with mesh.hub_lock:
        mesh.hub.kill()
        await mesh.copy(mesh.hub_url, backup_url)
        mesh.hub.start()
        await asyncio.sleep(2 * LEARN_SECONDS)
        mesh.hub.kill()
        await mesh.copy(backup_url, mesh.hub_url)
        await _moment(chance)
        mesh.hub.start()


async def hub_frozen(mesh: Mesh, chance: random.Random) -> None:
    """Stands still, perhaps in a transaction."""
    async with mesh.hub_lock:
        mesh.hub.freeze()
        await asyncio.sleep(chance.uniform(1, FROZEN_SECONDS))
        mesh.hub.thaw()


async def instance_killed(mesh: Mesh, chance: random.Random) -> None:
    """Kill -9 of one, and again before anybody heard of it."""
    instance = _one(mesh, chance)
    async with instance.lock:
        for _ in range(2):
            instance.process.kill()
            await _moment(chance)
            instance.process.start()


async def instance_frozen(mesh: Mesh, chance: random.Random) -> None:
    """One stands still for longer than its lease."""
    instance = _one(mesh, chance)
    async with instance.lock:
        instance.process.freeze()
        await asyncio.sleep(FROZEN_SECONDS)
        instance.process.thaw()


async def instance_restored(mesh: Mesh, chance: random.Random) -> None:
    """An older copy of one's database: what it knew then is the truth from then on."""
    instance, backup_url = _one(mesh, chance), mesh.make_database()
    async with instance.lock:
        instance.process.kill()
        await mesh.copy(instance.plan.database_url, backup_url)
        instance.process.start()
        await asyncio.sleep(LEARN_SECONDS)
        instance.process.kill()
        await mesh.copy(backup_url, instance.plan.database_url)
        instance.process.start()


async def instance_cloned(mesh: Mesh, chance: random.Random) -> None:
    """While one is down a copy of it learns things of its own under the same name; then the original is back."""
    instance, clone_url = _one(mesh, chance), mesh.make_database()
    async with instance.lock:
        instance.process.kill()
        await mesh.copy(instance.plan.database_url, clone_url)
        clone = instance.twin(clone_url)
        mesh.twins.append(clone)
        clone.start()
        await asyncio.sleep(2 * LEARN_SECONDS)
        clone.kill()
        instance.process.start()


async def instance_cloned_while_frozen(mesh: Mesh, chance: random.Random) -> None:
    """The same, while the original stands still and thinks that it is alone."""
    instance, clone_url = _one(mesh, chance), mesh.make_database()
    async with instance.lock:
        instance.process.freeze()
        await mesh.copy(instance.plan.database_url, clone_url)
        clone = instance.twin(clone_url)
        mesh.twins.append(clone)
        clone.start()
        await asyncio.sleep(3 * LEARN_SECONDS)
        instance.process.thaw()
        await asyncio.sleep(LEARN_SECONDS)
        clone.kill()


FAULTS: Final[tuple[Fault, ...]] = (
    broker_killed,
    broker_wiped,
    broker_wiped_under_a_dead_hub,
    broker_rolled_back,
    broker_frozen,
    hub_killed,
    hub_restored,
    hub_frozen,
    instance_killed,
    instance_frozen,
    instance_restored,
    instance_cloned,
    instance_cloned_while_frozen,
)


@dataclass(frozen=True)
class Scheduled:
    """A fault and when it begins, in seconds from the start; parts that are busy let it wait."""

    at: float
    fault: Fault


def schedule(chance: random.Random, count: int, seconds: float) -> list[Scheduled]:
    """Choose faults, none a second time before every one came, spread over so many seconds."""
    order: list[Fault] = []
    while len(order) < count:
        order += chance.sample(FAULTS, len(FAULTS))
    times = sorted(chance.uniform(0, seconds) for _ in range(count))
    return [Scheduled(at, fault) for at, fault in zip(times, order, strict=False)]


async def inflict(mesh: Mesh, chance: random.Random, faults: list[Scheduled]) -> None:
    """Do all of it, faults on different parts at the same time."""

    async def later(one: Scheduled, own_chance: random.Random) -> None:
        await asyncio.sleep(one.at)
        await one.fault(mesh, own_chance)

    chances = [random.Random(chance.random()) for _ in faults]  # noqa: S311 - reproducible, whatever waits for what
    await asyncio.gather(*(later(one, own) for one, own in zip(faults, chances, strict=True)))


def _one(mesh: Mesh, chance: random.Random) -> Instance:
    """Any instance but the last, which is offline."""
    return chance.choice(mesh.instances[:-1])


async def _moment(chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0.1, 1.0))
