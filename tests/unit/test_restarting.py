"""A part that fails is started again, and nothing beside it notices."""

from __future__ import annotations

import asyncio
import time

import pytest

from shared.metrics import Metrics
from shared.restarting import Restarted
from shared.service import Service, run_services
from tests.support.lifecycle import started
from tests.support.wait import eventually


class Failing(Service):
    """Fails whenever it is told to."""

    name = "failing"

    def __init__(self) -> None:
        super().__init__()
        self.opened = 0
        self.closed = 0
        self.refuse = False
        self.fail = asyncio.Event()
        self.error: Exception | None = ValueError("a bug")

    async def open(self) -> None:
        if self.refuse:
            raise OSError("refused")
        self.opened += 1
        self.fail.clear()

    async def run(self) -> None:
        await self.fail.wait()
        if self.error is not None:
            raise self.error

    async def close(self) -> None:
        self.closed += 1


class Idle(Service):
    name = "idle"

    async def run(self) -> None:
        await asyncio.Event().wait()


def kept(part: Service, metrics: Metrics) -> Restarted:
    return Restarted(part, metrics, pause_seconds_min=0.001, pause_seconds_max=0.01)


def restarts(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("flocklore_service_restarts_total", {"service": "failing"})


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError("away"), None])
async def test_it_is_started_again_however_often_it_fails(error: Exception | None) -> None:
    part, metrics = Failing(), Metrics()
    part.error = error
    async with started(kept(part, metrics)):
        for times in (1, 2, 3):
            part.fail.set()
            await eventually(lambda: part.running and part.opened == part.closed + 1 > times)  # noqa: B023 - called at once
            assert part.closed == times
    assert not part.running
    assert part.opened == part.closed
    assert restarts(metrics) == 3


async def test_what_cannot_be_opened_again_is_tried_again() -> None:
    part, metrics = Failing(), Metrics()
    keeper = kept(part, metrics)
    async with started(keeper):
        assert await keeper.word() == "healthy"
        part.refuse = True
        part.fail.set()
        await eventually(lambda: (restarts(metrics) or 0) >= 3)
        assert await keeper.word() == "restarting"
        part.refuse = False
        await eventually(lambda: part.running)
        assert await keeper.word() == "healthy"


async def test_what_cannot_start_at_all_is_said_at_once() -> None:
    part = Failing()
    part.refuse = True
    with pytest.raises(OSError, match="refused"):
        await kept(part, Metrics()).start()


async def test_the_others_do_not_notice() -> None:
    part, other, stop = Failing(), Idle(), asyncio.Event()
    running = asyncio.create_task(run_services([other, kept(part, Metrics())], stop))
    await eventually(lambda: part.running)
    part.fail.set()
    await eventually(lambda: part.opened == 2)
    assert other.running
    assert not running.done()
    stop.set()
    await running


async def test_it_stops_at_once_also_while_it_waits_to_start_again() -> None:
    part, metrics = Failing(), Metrics()
    keeper = Restarted(part, metrics, pause_seconds_min=60, pause_seconds_max=60)
    await keeper.start()
    began = time.monotonic()
    await keeper.stop()
    await keeper.start()
    part.fail.set()
    await eventually(lambda: part.closed == 2)
    await keeper.stop()
    assert time.monotonic() - began < 5
    assert part.opened == part.closed == 2
