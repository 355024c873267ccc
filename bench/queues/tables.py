"""The tables: medians over the rounds, ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bench.queues.contender import Patience
from bench.queues.trials import LIMIT, Latency, Throughput
from bench.report import ratio

_NAME: Final = 36


def rates(runs: Mapping[str, Sequence[Throughput]]) -> dict[str, list[float]]:
    """Jobs a second of each round."""
    return {name: [one.jobs_per_second for one in values] for name, values in runs.items()}


def print_throughputs(
    runs: Mapping[str, Sequence[Throughput]], jobs: Mapping[str, int], processes: int, reference: str
) -> None:
    """Print a line for each system; `jobs` says how many each was given."""
    most = max(jobs.values())
    print(f"\n{most} jobs, {processes} process{'es' * (processes > 1)}, each at most {LIMIT} jobs at a time")
    print(
        f"{'':{_NAME}} {'jobs/s':>8} {'min':>8} {'max':>8} {'ratio':>6}  CPU ms/job: {'worker':>6} {'server':>7} bulk s"
    )
    measured = rates(runs)
    for name, values in runs.items():
        shown = name if jobs[name] == most else f"{name} ({jobs[name]} jobs)"
        found = measured[name]
        rate = f"{statistics.median(found):8,.0f} {min(found):8,.0f} {max(found):8,.0f}"
        worker = _median([one.client_ms_per_job for one in values])
        server = _median([one.server_ms_per_job for one in values])
        bulk = statistics.median(one.enqueue_seconds for one in values)
        print(f"{shown:{_NAME}} {rate} {ratio(measured, name, reference):6.2f} {worker:>20} {server:>7} {bulk:6.2f}")


def print_latencies(runs: Mapping[str, Sequence[Latency]]) -> None:
    """Print a line for each system; the start of a job counts from the call that enqueues it."""
    print("\none job after the other for one idle worker, in ms from the call that enqueues it")
    print(f"{'':{_NAME}} {'enqueued p50':>13} {'p95':>7} {'started p50':>13} {'p95':>7}")
    for name, values in runs.items():
        enqueue = [_percentile(values, lambda one: one.enqueue, share) for share in (0.5, 0.95)]
        pickup = [_percentile(values, lambda one: one.pickup, share) for share in (0.5, 0.95)]
        print(f"{name:{_NAME}} {enqueue[0]:13.1f} {enqueue[1]:7.1f} {pickup[0]:13.1f} {pickup[1]:7.1f}")


def print_restarts(
    tuned: Mapping[str, Sequence[float]], default: Mapping[str, Sequence[float]], patience: Patience
) -> None:
    """Print a line for each system."""
    print("\nseconds from kill -9 of a worker until its job runs elsewhere: median (least to most)")
    print(f"{'':{_NAME}} {f'dead after {patience.dead_seconds:g} s':>22} {'by default':>22}")
    for name, seconds in tuned.items():
        print(f"{name:{_NAME}} {_spread(seconds):>22} {_spread(default.get(name)):>22}")


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.3f}" if known else "-"


def _percentile(runs: Sequence[Latency], which: Callable[[Latency], Sequence[float]], share: float) -> float:
    """Median over the runs of a percentile, in ms."""
    return 1000 * statistics.median(which(run)[int(len(which(run)) * share)] for run in runs)


def _spread(seconds: Sequence[float] | None) -> str:
    if seconds is None:
        return "never"
    return f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
