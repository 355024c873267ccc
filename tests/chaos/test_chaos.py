"""Nothing is lost and nothing counted twice, whatever is killed, wiped, restored, cloned and frozen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.embedded.nats import EmbeddedNats
from tests.chaos.faults import broker_wiped_under_a_dead_hub
from tests.chaos.mesh import Mesh
from tests.chaos.run import Outcome, run, table
from tests.chaos.verdict import judge, rows
from tests.support.wait import eventually

OwnNats = Callable[[], EmbeddedNats]
MakeDatabase = Callable[[], str]

SEEDS = range(1, 11)
EVENTS_MIN = 50_000


def blameless(outcome: Outcome) -> None:
    assert (outcome.verdict.lost, outcome.verdict.double) == (0, 0), table([outcome])
    assert outcome.replayed_otherwise == 0
    assert outcome.bugs == {}
    assert outcome.verdict.standing > 0


async def test_a_short_run_loses_nothing(scratch: Path, own_nats: OwnNats, make_database: MakeDatabase) -> None:
    outcome = await run(scratch, own_nats(), make_database, seed=7, instances=3, faults=4, seconds=8)
    blameless(outcome)


@pytest.mark.chaos
async def test_ten_runs_lose_nothing(scratch: Path, own_nats: OwnNats, make_database: MakeDatabase) -> None:
    outcomes = []
    for seed in SEEDS:
        directory = scratch / str(seed)
        directory.mkdir()
        server = own_nats()
        outcomes.append(await run(directory, server, make_database, seed=seed, instances=6, faults=14, seconds=35))
        print(table(outcomes[-1:]))  # noqa: T201 - a long run says how it goes
        server.stop()
    report(table(outcomes))
    for outcome in outcomes:
        blameless(outcome)
    assert sum(outcome.events for outcome in outcomes) >= EVENTS_MIN
