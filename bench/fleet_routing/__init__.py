"""What routing saves and regrets in fleets of instances as they are in life, beside the mathematics alone.

The jobs are those of `routing_math`, of the same worlds and seeds, but every instance has a database of its own. It
records its results there and says their sums through its outbox, over a NATS server, to a hub; the hub takes them in,
makes priors of them and answers the instances that fetch them; `advise` chooses, as it does for `flocklore route`. A
day is what results are dated with: ten jobs an instance, and the hub is heard every morning. The same seed gives the
same choices.

By default two worlds, one for the fleets above ten, and 50 jobs an instance, five days: 26,000 jobs that take about
16 ms each with a core for Python and one for PostgreSQL, and 14,000 shorter ones for what is regretted.
"""

from __future__ import annotations

import argparse
import asyncio

from bench.fleet_routing import regrets, savings
from bench.fleet_routing.stage import stage
from bench.report import print_machine


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1000, help="of the first world; the others follow")
    parser.add_argument("--worlds", type=int, default=2)
    parser.add_argument("--large-worlds", type=int, default=1, help="worlds of fleets above ten")
    parser.add_argument("--jobs", type=int, default=50, help="of each instance")
    parser.add_argument("--instances-max", type=int, default=100)
    parser.add_argument("--only", choices=("savings", "regrets"))
    asyncio.run(_main(parser.parse_args()))


async def _main(asked: argparse.Namespace) -> None:
    print_machine()
    async with stage() as running:
        if asked.only != "savings":
            await regrets.print_all(running, asked.seed, asked.worlds)
        if asked.only != "regrets":
            scale = savings.Scale(asked.seed, asked.worlds, asked.large_worlds, asked.jobs, asked.instances_max)
            await savings.print_all(running, scale)
