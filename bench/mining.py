"""How fast an instance reads code: mining against plain parsing of the same files, and a scan of an unchanged tree.

Ratios are of CPU time in one run; the targets are mining within five times plain parsing, and an unchanged tree of
10,000 files scanned in less than two seconds.
"""

from __future__ import annotations

import argparse
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from instance.analysis.grammar import grammar
from instance.analysis.languages import LANGUAGES
from instance.analysis.workspace import changes, read_source, walk
from instance.learning.idioms import FileContext, study
from instance.learning.support import pack
from instance.learning.vocabulary import vocabulary

ROUNDS = 3
TREE_FILES = 10_000
RATIO_MAX = 5.0
RESCAN_SECONDS_MAX = 2.0


def main() -> None:
    """Print the table; exit with a word when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("roots", nargs="*", type=Path, help="directories to mine; default: the standard library")
    roots = parser.parse_args().roots or [Path(sysconfig.get_path("stdlib"))]
    print(f"{'corpus':24} {'language':12} {'files':>6} {'MB':>6} {'parse MB/s':>10} {'mine MB/s':>10} {'ratio':>6}")
    ratios = [ratio for root in roots for ratio in measure_mining(root)]
    seconds = measure_rescan()
    if max(ratios, default=0.0) > RATIO_MAX or seconds > RESCAN_SECONDS_MAX:
        raise SystemExit(f"a target is missed: ratio <= {RATIO_MAX}, unchanged scan <= {RESCAN_SECONDS_MAX} s")


def measure_mining(root: Path) -> list[float]:
    """Mine every language below a directory and return mining time over parsing time for each."""
    found = walk(root)
    ratios = []
    for name in LANGUAGES:
        files = [file.path for file in found.files if file.language == name and "test" not in file.path]
        sources = [read_source(root, path) for path in files]
        if sources:
            ratios.append(_compare(root.name, name, sources))
    return ratios


def _compare(corpus: str, name: str, sources: list[bytes]) -> float:
    language, rules, context = LANGUAGES[name], grammar(name), FileContext(vocabulary(name))
    study(sources[0], language, context)

    def parse_all() -> None:
        for source in sources:
            rules.parser.parse(source)

    def mine_all() -> None:
        for source in sources:
            pack(study(source, language, context))

    rounds = [(_cpu_seconds(parse_all), _cpu_seconds(mine_all)) for _ in range(ROUNDS)]
    parsing, mining = (statistics.median(column) for column in zip(*rounds, strict=True))
    megabytes = sum(map(len, sources)) / 1e6
    print(
        f"{corpus[:24]:24} {name:12} {len(sources):6} {megabytes:6.1f} {megabytes / parsing:10.1f}"
        f" {megabytes / mining:10.1f} {mining / parsing:6.2f}"
    )
    return float(mining / parsing)


def measure_rescan() -> float:
    """Scan a generated tree again and return the median of the seconds it took."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for number in range(TREE_FILES):
            folder = root / f"package{number // 100}"
            folder.mkdir(exist_ok=True)
            (folder / f"module{number}.py").write_text(f"value = {number}\n")
        known = {file.path: stamp for file, stamp in changes(walk(root), {}).to_read}
        rounds = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            again = changes(walk(root), known)
            rounds.append(time.perf_counter() - started)
            assert again.unchanged_count == TREE_FILES
    seconds = statistics.median(rounds)
    print(f"unchanged scan of {TREE_FILES} files: {seconds:.2f} s")
    return seconds


def _cpu_seconds(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
