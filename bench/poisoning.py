"""What liars in concert can make the hub believe, through its own merge.

A thousand instances, two thousand facts, each seen by about a twelfth of the fleet. A fact is accepted when its
confidence reaches 0.6; true ones are in 85-95 % of the repositories, false ones in 20-40 %. Each liar claims every
false fact and denies every true one, in all languages at once, in five repositories of a million files each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import mean
from typing import Final

from bench.report import print_expectation, print_machine
from centralcloud.learning.trust import judge
from tests.support.liars import Lie, Verdict, World, observed_ballots, verdict, world

SEEDS: Final = (1, 2)
INSTANCES, FACTS, LANGUAGES = 1_000, 2_000, 12
JUDGED_SECONDS_MAX: Final = 0.5

_ATTACKS: Final[tuple[tuple[str, float, Lie], ...]] = (
    ("nobody lies", 0.0, "inflated"),
    ("5 % lie, in every file", 0.05, "inflated"),
    ("8 % lie, in every file", 0.08, "inflated"),
    ("12 % lie, in every file", 0.12, "inflated"),
    ("5 % lie, in one file of a hundred", 0.05, "whispered"),
)


def main() -> None:
    """Print the table and whether what is promised holds."""
    print_machine()
    columns = f"{'false accepted':>14} {'true lost':>10} {'liars found':>12} {'honest set aside':>17}"
    print(f"{'attack':36} {'estimator':22} {columns}")
    promised: list[Verdict] = []
    judged: list[tuple[int, float]] = []
    for name, share, lie in _ATTACKS:
        worlds = [
            world(seed, instances=INSTANCES, facts=FACTS, languages=LANGUAGES, liars=share, lie=lie) for seed in SEEDS
        ]
        _print(name, "everybody believed", [verdict(one) for one in worlds])
        found = [verdict(one, _trust(one, judged)) for one in worlds]
        _print(name, "trust-weighted votes", found)
        if share <= 0.05 and lie == "inflated":
            promised += found
    clean = all(one.false_accepted == one.true_lost == 0 for one in promised)
    print_expectation("up to 5 % who inflate: no false fact accepted, no true one lost", met=clean)
    observations, seconds = max(judged, key=lambda one: one[1])
    print_expectation(
        f"judging: {observations:,} observations in {seconds:.2f} s, expected < {JUDGED_SECONDS_MAX} s",
        met=seconds < JUDGED_SECONDS_MAX,
    )


def _trust(made: World, judged: list[tuple[int, float]]) -> Mapping[str, float]:
    """Judge, and note how many observations took how many seconds."""
    ballots = observed_ballots(made.observations)
    started = time.perf_counter()
    found = judge(ballots)
    judged.append((len(ballots.fact), time.perf_counter() - started))
    return {one.instance: one.trust for one in found}


def _print(attack: str, estimator: str, found: list[Verdict]) -> None:
    def shown(value: Callable[[Verdict], float]) -> str:
        return f"{mean(map(value, found)):.1%}"

    print(
        f"{attack:36} {estimator:22} {shown(lambda one: one.false_accepted):>14} {shown(lambda one: one.true_lost):>10}"
        f" {shown(lambda one: one.liars_found):>12} {shown(lambda one: one.honest_set_aside):>17}",
        flush=True,
    )
