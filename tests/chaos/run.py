"""One run: a mesh, faults chosen by a seed, peace, and the verdict."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.embedded.nats import EmbeddedNats
from shared.errors import Exit
from tests.chaos.arena import Mesh
from tests.chaos.faults import inflict, schedule
from tests.chaos.verdict import Verdict, count, judge, replayed_otherwise, settled, standing
from tests.support.wait import eventually

SETTLE_SECONDS = 90.0
EXPECTED_EXITS = {Exit.RUNNING, Exit.UNREACHABLE, Exit.TRY_AGAIN}
"""Another holder is alive; the database was replaced under it; the lease ran out while it was frozen."""


@dataclass(frozen=True)
class Outcome:
    """One line of the table."""

    seed: int
    faults: int
    events: int
    resent: int
    forks: int
    rotations: int
    verdict: Verdict
    replayed_otherwise: int
    exits: dict[int, int]
    seconds: float

    @property
    def bugs(self) -> dict[int, int]:
        """Exits of processes that are no answer to any fault."""
        return {code: count for code, count in self.exits.items() if code not in EXPECTED_EXITS}


HEADINGS = ("seed", "faults", "events", "resent", "forks", "rotations", "states", "lost", "double", "seconds")


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a Markdown table, with a line of sums."""
    lines = [_cells(one) for one in outcomes]
    sums = [sum(column) for column in zip(*(line[1:-1] for line in lines), strict=True)]
    total = ["all", *map(str, sums), f"{sum(one.seconds for one in outcomes):.0f}"]
    body = [[*map(str, line[:-1]), f"{line[-1]:.0f}"] for line in lines]
    shown = [list(HEADINGS), ["---:"] * len(HEADINGS), *body, total]
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)


async def run(
    directory: Path, broker: EmbeddedNats, make_database: Callable[[], str], *,
    seed: int, instances: int, faults: int, seconds: float,
) -> Outcome:  # fmt: skip
    """Inflict so many faults within so many seconds, wait until all is confirmed, and judge."""
    started = time.monotonic()
    chance = random.Random(seed)  # noqa: S311 - the same faults for the same seed
    mesh = Mesh(directory, broker, make_database, [f"chaos-{number}" for number in range(instances)])
    databases = {one.plan.name: one.plan.database_url for one in mesh.instances}
    mesh.send_offline(mesh.instances[-1])
    async with mesh.running():
        await eventually(lambda: _has_begun(mesh), timeout_seconds=30, what="a stream and everybody's schema")
        await asyncio.gather(inflict(mesh, chance, schedule(chance, faults, seconds)), asyncio.sleep(seconds))
        mesh.be_quiet()
        mesh.bring_online(mesh.instances[-1])
        await eventually(
            lambda: asyncio.to_thread(settled, mesh.hub_url, databases), SETTLE_SECONDS, what=f"peace after seed {seed}"
        )
    return await _outcome(mesh, databases, seed, faults, time.monotonic() - started)


async def _outcome(mesh: Mesh, databases: dict[str, str], seed: int, faults: int, seconds: float) -> Outcome:
    standings = [standing(database_url) for database_url in databases.values()]
    return Outcome(
        seed=seed,
        faults=faults,
        events=sum(one.events for one in standings),
        resent=sum(one.resent for one in standings),
        forks=count(mesh.hub_url, "SELECT count(*) FROM forks"),
        rotations=sum(one.rotations for one in standings),
        verdict=judge(mesh.hub_url, databases),
        replayed_otherwise=await replayed_otherwise(mesh.hub_url, mesh.make_database()),
        exits=dict(mesh.exits()),
        seconds=seconds,
    )


def _has_begun(mesh: Mesh) -> bool:
    """Whether centralcloud heard every instance that is online, and the one that is not has learned something."""
    registered = "SELECT count(*) FROM instance_registry WHERE status = 'online'"
    learned = "SELECT count(*) FROM outbox"
    asked = [(mesh.hub_url, registered), *((one.plan.database_url, learned) for one in mesh.instances)]
    wanted = [len(mesh.instances) - 1, *(1 for _ in mesh.instances)]
    return all(count(url, statement) >= least for (url, statement), least in zip(asked, wanted, strict=True))


def _cells(one: Outcome) -> tuple[float, ...]:
    return (
        one.seed,
        one.faults,
        one.events,
        one.resent,
        one.forks,
        one.rotations,
        one.verdict.standing,
        one.verdict.lost,
        one.verdict.double,
        one.seconds,
    )
