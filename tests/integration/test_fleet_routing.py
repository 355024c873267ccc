"""The simulation of fleets: what instances choose that are as in life is what the mathematics alone chooses."""

from __future__ import annotations

from bench.fleet_routing.gains import same
from bench.fleet_routing.savings import ERRING, Case
from bench.fleet_routing.stage import stage

DAYS = 2


async def test_what_is_really_chosen_is_what_the_twin_in_memory_chooses() -> None:
    case = Case(seed=(2050, 0), instances=2, way=ERRING, jobs=10 * DAYS)
    async with stage() as running:
        real, _ = await case.really(running)
    twin, _ = await case.in_memory()
    assert len(real) == len(twin) == 2 * 10 * DAYS
    assert same(real, twin) == 1.0
    assert [(job.succeeded, job.cents) for job in real] == [(job.succeeded, job.cents) for job in twin]

    deaf, _ = await case._replace(instances=1).in_memory()
    own = [job for job in twin if job.machine == "i0"]
    assert same(own, deaf) < 1.0, "the other one was heard"
