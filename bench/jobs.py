"""The job queue: jobs that do nothing a second, how soon a job starts, how soon after the death of its worker.

Beside it run bare hand-written loops and two queues other people wrote, each in processes of its own, in a database of
its own on one PostgreSQL with its default settings, system by system in turn. The loop that counts is the one on the
table that Flocklore has, with every commit on the disk; Flocklore does not wait for the disk when it claims and
finishes a job, so the loops that do not either stand beside it, and those on the smallest table there could be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from bench.fetching import Unavailable
from bench.queues import tables
from bench.queues.contender import Patience
from bench.queues.peers import PEERS, PGQUEUER, PGQUEUER_UNLIMITED, PROCRASTINATE, python_of
from bench.queues.stand import System
from bench.queues.trials import Throughput, latency, restart, throughput
from bench.report import print_expectation, print_machine, ratio
from bench.servers import postgres
from shared.embedded.postgres import EmbeddedPostgres

ROUNDS: Final = 3
JOBS: Final = 20_000
PROCESSES: Final = (1, 4)
RATIO_MIN: Final = 0.8
SLOW: Final = {PROCRASTINATE: 10}
"""Systems that get one job where the others get so many."""

OURS: Final = "flocklore"
LOOP: Final = "bare loop"
UNSYNCED: Final = "bare loop, unsynced"
_OURS: Final = "bench.queues.ours:Flocklore"
_LOOPS: Final = {
    LOOP: "bench.queues.bare_oban:BareOban",
    UNSYNCED: "bench.queues.bare_oban:BareObanUnsynced",
    "bare loop, smallest table": "bench.queues.bare:Bare",
    "bare loop, smallest table, unsynced": "bench.queues.bare:BareUnsynced",
}
_EXPECTED: Final = {
    LOOP: RATIO_MIN,
    UNSYNCED: RATIO_MIN,
    PGQUEUER: 1.0,
    PGQUEUER_UNLIMITED: 1.0,
    PROCRASTINATE: 1.0,
}
_TUNED: Final = Patience(dead_seconds=4.0, beat_seconds=1.0)
_DEFAULT: Final = Patience()
_RESTART_SECONDS_MAX: Final = 120.0

R = TypeVar("R")
Runs = Mapping[str, Sequence[R]]


def main() -> None:
    """Print a table for each thing measured, then what was expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=JOBS, help="in each run; a tenth for slow peers")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    print_machine()
    ours, loops, peers = System(OURS, _OURS, Path(sys.executable)), _loops(), _peers()
    with postgres() as server:
        for processes in PROCESSES:
            _compare_throughput(server, [ours, *peers, *loops], processes, options.jobs, options.rounds)
        single = [peer for peer in peers if peer.name != PGQUEUER_UNLIMITED]
        runs = _in_turn([ours, *single, loops[0]], options.rounds, lambda system: latency(server, system))
        tables.print_latencies(runs)
        _compare_restarts(server, [ours, *single], options.rounds)


def _loops() -> list[System]:
    return [System(name, where, Path(sys.executable)) for name, where in _LOOPS.items()]


def _peers() -> list[System]:
    """Those that can be had; says which cannot."""
    systems: list[System] = []
    for peer in PEERS:
        try:
            python, version = python_of(peer)
        except Unavailable as reason:
            print(f"{peer.package} cannot be had here and is left out: {reason}")
        else:
            print(f"{peer.package} {version}")
            systems += [System(name, where, python) for name, where in peer.contenders.items()]
    return systems


def _compare_throughput(
    server: EmbeddedPostgres, systems: Sequence[System], processes: int, jobs: int, rounds: int
) -> None:
    counts = {system.name: jobs // SLOW.get(system.name, 1) for system in systems}

    def measure(system: System) -> Throughput:
        return throughput(server, system, counts[system.name], processes)

    runs = _in_turn(systems, rounds, measure)
    tables.print_throughputs(runs, counts, processes, LOOP)
    rates = tables.rates(runs)
    for reference, least in _EXPECTED.items():
        if reference in rates:
            found = ratio(rates, OURS, reference)
            what = f"with {processes} process{'es' * (processes > 1)} {found:.2f} times {reference}"
            print_expectation(f"{what}, expected >= {least:g}", met=found >= least)


def _compare_restarts(server: EmbeddedPostgres, systems: Sequence[System], rounds: int) -> None:
    # Without the periodic task of its documentation (every ten minutes there) procrastinate never runs the job again.
    alone = [system for system in systems if system.name != PROCRASTINATE]
    tuned = _at_once(systems, rounds, lambda system: restart(server, system, _TUNED, _RESTART_SECONDS_MAX))
    default = _at_once(alone, rounds, lambda system: restart(server, system, None, _RESTART_SECONDS_MAX))
    tables.print_restarts(tuned, default, _TUNED)
    for patience, found in ((_TUNED, max(tuned[OURS])), (_DEFAULT, max(default[OURS]))):
        most = patience.dead_seconds + patience.beat_seconds
        print_expectation(
            f"a killed worker's job runs again within {found:.1f} s where it is dead after {patience.dead_seconds:g} s,"
            f" expected <= {most:g} s",
            met=found <= most,
        )


def _in_turn(systems: Sequence[System], rounds: int, measure: Callable[[System], R]) -> Runs[R]:
    """Measure system by system, so many times over: a busy moment hits all of them alike."""
    runs: dict[str, list[R]] = {system.name: [] for system in systems}
    for _ in range(rounds):
        for system in systems:
            runs[system.name].append(measure(system))
    return runs


def _at_once(systems: Sequence[System], rounds: int, measure: Callable[[System], R]) -> Runs[R]:
    """Measure what is waiting and little else, all systems at once, round by round."""
    with ThreadPoolExecutor(len(systems)) as threads:
        found = [list(threads.map(measure, systems)) for _ in range(rounds)]
    return {system.name: values for system, *values in zip(systems, *found, strict=True)}
