"""How benchmarks take turns and what they print: medians of interleaved rounds, the machine, the expectation."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence

Rounds = Mapping[str, Sequence[float]]


def print_machine() -> None:
    """Say what was measured on, and how busy it was with other things."""
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"{os.cpu_count()} cores, load average {load}, Python {platform.python_version()}, {platform.system()}")


async def interleaved(count: int, variants: Mapping[str, Callable[[], Awaitable[float]]]) -> Rounds:
    """Run the variants in turn, `count` times over, so that a busy moment hits all of them alike."""
    rounds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(count):
        for name, measure in variants.items():
            rounds[name].append(await measure())
    return rounds


def print_rates(rounds: Rounds, unit: str, references: Mapping[str, str]) -> None:
    """Print a line for each variant, with its ratio to the one `references` names for it, if any."""
    print(f"{'':52} {unit:>12} {'min':>10} {'max':>10} {'ratio':>7}")
    for name, values in rounds.items():
        shown = f"{ratio(rounds, name, references[name]):7.2f}" if name in references else ""
        print(f"{name:52} {statistics.median(values):12,.0f} {min(values):10,.0f} {max(values):10,.0f} {shown}")


def ratio(rounds: Rounds, name: str, reference: str) -> float:
    """Median of the ratios of two variants in the same round: what slows both down cancels out."""
    return statistics.median(value / other for value, other in zip(rounds[name], rounds[reference], strict=True))


def print_expectation(what: str, *, met: bool) -> None:
    """Say plainly whether what was expected came true; a miss is news, not a failure."""
    print(f"{'met   ' if met else 'MISSED'} {what}", flush=True)
