"""How fast an instance reads code: mining against plain parsing of the same files, by CPU time."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.report import print_expectation, print_machine
from instance.analysis.grammar import grammar
from instance.analysis.languages import LANGUAGES
from instance.analysis.workspace import read_source, walk
from instance.learning.idioms import FileContext, study
from instance.learning.support import pack
from instance.learning.vocabulary import vocabulary
from mesh.discovery import installed_workspaces

ROUNDS = 3
SAMPLE_FILES = 100
RATIO_MAX = 5.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("roots", nargs="*", type=Path, help="directories to mine; default: what `up` would study")
    roots = parser.parse_args().roots or [workspace.directory for workspace in installed_workspaces()]
    print_machine()
    print(f"{'corpus':24} {'language':12} {'files':>6} {'MB':>6} {'parse MB/s':>10} {'mine MB/s':>10} {'ratio':>6}")
    for root in roots:
        for name, ratio in measure_mining(root).items():
            print_expectation(
                f"mining {root.name}, {name}: {ratio:.1f} times plain parsing, expected <= {RATIO_MAX}",
                met=ratio <= RATIO_MAX,
            )


def measure_mining(root: Path) -> dict[str, float]:
    """Mine every language below a directory and return mining time over parsing time by language."""
    found = walk(root)
    ratios = {}
    for name in LANGUAGES:
        files = [file.path for file in found.files if file.language == name and "test" not in file.path]
        sources = [read_source(root, path) for path in files]
        if sources:
            ratios[name] = _compare(root.name, name, sources)
    return ratios


def _compare(corpus: str, name: str, sources: list[bytes]) -> float:
    language, rules, context = LANGUAGES[name], grammar(name), FileContext(vocabulary(name))

    def parse_all() -> None:
        for source in sources:
            rules.parser.parse(source)

    def mine_all() -> None:
        for source in sources:
            pack(study(source, language, context))

    assert sum(len(study(source, language, context).occurrences) for source in sources[:SAMPLE_FILES])
    rounds = [(_cpu_seconds(parse_all), _cpu_seconds(mine_all)) for _ in range(ROUNDS)]
    parsing, mining = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(mined / parsed for parsed, mined in rounds)
    megabytes = sum(map(len, sources)) / 1e6
    print(
        f"{corpus[:24]:24} {name:12} {len(sources):6} {megabytes:6.1f} {megabytes / parsing:10.1f}"
        f" {megabytes / mining:10.1f} {ratio:6.2f}"
    )
    return ratio


def _cpu_seconds(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
