"""Hints to send more slowly: they hold for as long as they say, and what they ask for is done."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from centralcloud.ingest.flow import is_slow
from instance.sync.flow import JITTER, RETURN_SECONDS, Pace
from schemas.flow import FlowHint
from shared.bus import Bus
from shared.flow import Flow
from shared.metrics import Metrics


def new_flow() -> tuple[Flow, list[float]]:
    clock = [100.0]
    bus = Bus([], client_name="test", inbox_prefix="_INBOX.test", metrics=Metrics())
    return Flow(bus, clock=lambda: clock[0]), clock


def hint(rate: float = 100.0, state: Literal["slow", "free"] = "slow", expires_seconds: float = 10.0) -> FlowHint:
    return FlowHint(
        timestamp=datetime.now(UTC),
        state=state,
        pending=6000,
        events_per_second=rate,
        expires_seconds=expires_seconds,
    )


async def test_a_hint_that_is_not_repeated_runs_out() -> None:
    flow, clock = new_flow()
    assert flow.slow is None
    flow.hear(hint())
    clock[0] += 9.9
    assert flow.slow is not None
    flow.hear(hint())
    clock[0] += 9.9
    assert flow.slow is not None
    clock[0] += 0.2
    assert flow.slow is None
    assert flow.left_seconds == 0


async def test_what_is_free_is_free_at_once() -> None:
    flow, _ = new_flow()
    flow.hear(hint())
    flow.hear(hint(state="free"))
    assert flow.slow is None


async def test_without_a_hint_as_much_may_be_sent_as_is_asked_for() -> None:
    flow, _ = new_flow()
    assert [await Pace(flow).leave(1600) for _ in range(3)] == [1600, 1600, 1600]


async def test_while_it_is_slow_no_more_is_sent_than_was_asked_for() -> None:
    flow, _ = new_flow()
    flow.hear(hint(rate=50.0))
    pace = Pace(flow)
    began = time.monotonic()
    assert [await pace.leave(1600), await pace.leave(1600)] == [50, 50]
    assert time.monotonic() - began >= 1 - JITTER


async def test_less_than_one_event_a_second_is_one_now_and_then() -> None:
    flow, _ = new_flow()
    flow.hear(hint(rate=5.0))
    pace = Pace(flow)
    assert await pace.leave(3) == 3
    began = time.monotonic()
    assert await pace.leave(3) == 3
    assert time.monotonic() - began >= 3 / 5 * (1 - JITTER) - 0.01


async def test_a_silent_hub_holds_nobody_up() -> None:
    bus = Bus([], client_name="test", inbox_prefix="_INBOX.test", metrics=Metrics())
    flow = Flow(bus)
    flow.hear(hint(rate=0.01, expires_seconds=0.2))
    pace = Pace(flow)
    assert await pace.leave(10) == 1
    async with asyncio.timeout(RETURN_SECONDS + 5):
        assert await pace.leave(10) == 10


async def test_who_waits_goes_on_when_it_is_free() -> None:
    flow, _ = new_flow()
    flow.hear(hint(rate=0.01))
    pace = Pace(flow)
    assert await pace.leave(10) == 1
    waiting = asyncio.create_task(pace.leave(10))
    await asyncio.sleep(0)
    flow.hear(hint(state="free"))
    async with asyncio.timeout(RETURN_SECONDS + 5):
        assert await waiting == 10


@given(st.integers(0, 20_000), st.booleans())
def test_publishers_are_free_again_below_half_of_what_was_too_much(pending: int, was_slow: bool) -> None:  # noqa: FBT001
    slow = is_slow(pending, 5000, was_slow=was_slow)
    if pending > 5000:
        assert slow
    elif pending < 2500:
        assert not slow
    else:
        assert slow is was_slow
