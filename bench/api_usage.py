"""How well mined call sequences foretell how others use a library, on the data of the evaluation of PAM.

The data are those of Fowkes and Sutton, Parameter-Free Probabilistic API Mining across GitHub, FSE 2016: one ARFF file
per library in `train` and in `all`, a client method and the calls it makes on each line. What is in `all` and not in
`train`, counted as a multiset, is the test; as there, only sequences of at least two calls count, and each once.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.report import print_expectation, print_machine
from instance.learning.usage.sequences import Calls, closed, mine

LIMIT = 50
REFERENCES = (
    "PAM's own program, ten libraries:      .541  .165  .434  .303   .55   CPU 5,163 s",
    "a prototype of ours, sixteen libraries: .781  .260  .634  .398   .06   CPU 9.4 s",
)
PAM_MEANS = (0.541, 0.165, 0.434, 0.303)
PAM_SPURIOUS = 0.55
_ROW = re.compile(r"'(?P<caller>.*)','(?P<calls>.*)'")

Miner = Callable[[Sequence[Calls]], list[Calls]]


class Library(NamedTuple):
    """The call sequences of one library's clients: what is mined, and what is to be foretold."""

    name: str
    train: list[Calls]
    test: list[Calls]


class Quality(NamedTuple):
    """Shares: of the best patterns, those in the test; of the test, those that hold one of the best patterns."""

    precision_10: float
    recall_10: float
    precision_50: float
    recall_50: float
    spurious_50: float  # how many of the other patterns hold one, on average
    patterns: float
    length: float
    cpu_seconds: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a directory with train/*.arff and all/*.arff")
    data = parser.parse_args().data
    if data is None or not (libraries := read_libraries(data)):
        print("skipped: no call sequences there; name their directory with --data DIR")
        return
    print_machine()
    ours = _compare(
        "closed sequences, greedy cover", libraries, lambda train: [one.calls for one in mine(train, LIMIT)]
    )
    _compare("frequency alone", libraries, _most_frequent)
    print(f"for comparison, measured before, means over more libraries than the {len(libraries)} there are here:")
    print(*REFERENCES, sep="\n")
    met = all(ours[place] >= mean for place, mean in enumerate(PAM_MEANS)) and ours.spurious_50 <= PAM_SPURIOUS
    print_expectation("mean precision and recall at 10 and 50 no worse than PAM's, and no more spurious", met=met)


def read_libraries(data: Path) -> list[Library]:
    """Read every library that has both files."""
    libraries = []
    for file in sorted((data / "train").glob("*.arff")):
        everything = data / "all" / file.name
        if everything.is_file():
            train, both = read_calls(file), read_calls(everything)
            test = sorted({calls for _, calls in Counter(both) - Counter(train) if len(calls) > 1})
            libraries.append(Library(file.stem, [calls for _, calls in train], test))
    return libraries


def read_calls(file: Path) -> list[tuple[str, Calls]]:
    """Read an ARFF file: the calling method, and what it calls."""
    rows = map(_ROW.fullmatch, map(str.strip, file.read_text("utf-8").splitlines()))
    return [(row["caller"], tuple(row["calls"].split())) for row in rows if row]


def measure(library: Library, miner: Miner) -> Quality:
    """Mine the training sequences of a library, and compare with the test."""
    started = time.process_time()
    patterns = miner(library.train)
    cpu_seconds = time.process_time() - started
    best = patterns[:LIMIT]
    spurious = sum(one != other and _is_in(one, other) for one in best for other in best) / max(len(best), 1)
    length = statistics.fmean(map(len, best)) if best else 0.0
    at_10, at_50 = _foretold(patterns[:10], library.test), _foretold(best, library.test)
    return Quality(*at_10, *at_50, spurious, len(best), length, cpu_seconds)


def _foretold(patterns: Sequence[Calls], test: Sequence[Calls]) -> tuple[float, float]:
    found = {(pattern, calls) for pattern in patterns for calls in test if _is_in(pattern, calls)}
    precision = len({pattern for pattern, _ in found}) / max(len(patterns), 1)
    return precision, len({calls for _, calls in found}) / max(len(test), 1)


def _is_in(calls: Calls, others: Calls) -> bool:
    """Tell whether calls are in others in this order, at any distance."""
    rest = iter(others)
    return all(call in rest for call in calls)


def _most_frequent(train: Sequence[Calls]) -> list[Calls]:
    patterns = closed(train)
    return sorted(patterns, key=lambda calls: (-patterns[calls], calls))[:LIMIT]


def _compare(title: str, libraries: Sequence[Library], miner: Miner) -> Quality:
    print(
        f"{title:32} {'P@10':>6} {'R@10':>6} {'P@50':>6} {'R@50':>6} {'spur.':>6} {'found':>6} {'len.':>6} {'CPU s':>6}"
    )
    rows = {library.name: measure(library, miner) for library in libraries}
    mean = Quality(*map(statistics.fmean, zip(*rows.values(), strict=True)))
    for name, quality in {**rows, "mean": mean}.items():
        print(
            f"{name:32} "
            + " ".join(f"{value:6.0f}" if at == 5 else f"{value:6.3f}" for at, value in enumerate(quality))
        )
    print(f"{sum(quality.cpu_seconds for quality in rows.values()):.1f} s of CPU in all")
    return mean


if __name__ == "__main__":
    main()
