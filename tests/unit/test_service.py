"""The lifecycle every service follows. `stress` is run over the services of both daemons in tests/integration."""

from __future__ import annotations

import asyncio

import pytest

from shared.service import Service, run_services
from tests.support.lifecycle import stress
from tests.support.wait import eventually


class Counting(Service):
    """Counts what is open, and fails when told to."""

    def __init__(self, name: str, journal: list[str] | None = None) -> None:
        super().__init__()
        self.name = name
        self.opened = 0
        self.journal = journal if journal is not None else []
        self.fail = asyncio.Event()
        self.refuse = False

    async def open(self) -> None:
        if self.refuse:
            raise OSError("refused")
        self.opened += 1
        self.journal.append(f"open {self.name}")

    async def run(self) -> None:
        await self.fail.wait()
        raise OSError("failed later")

    async def close(self) -> None:
        self.opened -= 1
        self.journal.append(f"close {self.name}")


async def test_any_order_of_starts_and_stops_leaves_nothing_open() -> None:
    service = Counting("one")
    await stress(service)
    assert service.opened == 0


async def test_failing_later_closes_and_is_told_to_whoever_waits() -> None:
    service = Counting("one")
    await service.start()
    waiting = asyncio.create_task(service.wait())
    service.fail.set()
    with pytest.raises(OSError, match="failed later"):
        await waiting
    assert not service.running
    assert service.opened == 0
    await service.stop()


async def test_a_service_that_cannot_open_is_not_running_and_may_be_started_again() -> None:
    service = Counting("one")
    service.refuse = True
    with pytest.raises(OSError, match="refused"):
        await service.start()
    assert not service.running
    service.refuse = False
    await service.start()
    assert service.running
    await service.stop()


class Lingering(Counting):
    """Takes its time to close."""

    def __init__(self) -> None:
        super().__init__("lingering")
        self.may_close = asyncio.Event()
        self.closing = asyncio.Event()

    async def close(self) -> None:
        self.closing.set()
        await self.may_close.wait()
        await super().close()


async def test_a_stop_that_is_cancelled_ends_when_the_service_has() -> None:
    service = Lingering()
    await service.start()
    stopping = asyncio.create_task(service.stop())
    await service.closing.wait()
    for _ in range(3):
        stopping.cancel()
        await asyncio.sleep(0)
    assert not stopping.done()
    service.may_close.set()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert service.opened == 0
    await service.start()
    assert service.running
    await service.stop()


async def test_a_start_that_is_cancelled_at_any_step_leaves_nothing_running() -> None:
    for steps in range(6):
        service = Counting("one")
        starting = asyncio.create_task(service.start())
        for _ in range(steps):
            await asyncio.sleep(0)
        if starting.cancel():
            with pytest.raises(asyncio.CancelledError):
                await starting
            assert not service.running
            assert service.opened == 0
        await service.stop()


async def test_services_start_in_order_and_stop_in_reverse() -> None:
    journal: list[str] = []
    services = [Counting(name, journal) for name in ("a", "b", "c")]
    stop = asyncio.Event()
    running = asyncio.create_task(run_services(services, stop))
    await eventually(lambda: len(journal) == len(services))
    stop.set()
    await running
    assert journal == ["open a", "open b", "open c", "close c", "close b", "close a"]


async def test_one_failure_stops_all_and_is_raised() -> None:
    services = [Counting(name) for name in ("a", "b", "c")]
    running = asyncio.create_task(run_services(services, asyncio.Event()))
    await eventually(lambda: services[-1].running)
    services[1].fail.set()
    with pytest.raises(OSError, match="failed later"):
        await running
    assert [service.opened for service in services] == [0, 0, 0]


async def test_what_started_is_stopped_when_a_later_one_cannot_open() -> None:
    first, second = Counting("a"), Counting("b")
    second.refuse = True
    with pytest.raises(OSError, match="refused"):
        await run_services([first, second], asyncio.Event())
    assert first.opened == 0
