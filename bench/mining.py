"""How fast an instance reads code: mining against plain parsing of the same files, by CPU time, in every language.

The two take turns file by file, so that whatever else the machine does slows both down alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from bench.corpora import corpus, languages
from bench.report import print_expectation, print_machine
from instance.agents.manifests import own_modules_of
from instance.analysis.grammar import grammar
from instance.analysis.languages import LANGUAGES
from instance.analysis.workspace import read_source, walk
from instance.learning.idioms import FileContext, study
from instance.learning.support import pack
from instance.learning.vocabulary import vocabulary

ROUNDS: Final = 3
FILES_PER_REPOSITORY: Final = 25
RATIO_MAX: Final = 4.0
SECONDS_PER_FILE_MAX: Final = 0.030
_PERCENTILE_95: Final = 18  # of the nineteen points between twenty equal parts, the last


class Sample(NamedTuple):
    """One file and what mining must know of its repository."""

    language: str
    source: bytes
    context: FileContext


class Times(NamedTuple):
    """CPU seconds of one file."""

    parsing: float
    mining: float


def main() -> None:
    """Print the table."""
    print_machine()
    print(f"{'language':12} {'files':>6} {'MB':>6} {'parse MB/s':>10} {'mine MB/s':>10} {'ratio':>6} {'p95 ms':>7}")
    for language in languages():
        samples = _samples(language)
        rounds = [[_measure(sample) for sample in samples] for _ in range(1 + ROUNDS)][1:]  # the first one warms up
        ratio = statistics.median(_ratio(times) for times in rounds)
        p95 = statistics.median(_p95(times) for times in rounds)
        _print(language, samples, rounds, ratio, p95)
        print_expectation(
            f"mining {language}: {ratio:.1f} times plain parsing, expected <= {RATIO_MAX}", met=ratio <= RATIO_MAX
        )
        print_expectation(
            f"mining {language}: one file again in {p95 * 1000:.0f} ms at the 95th percentile,"
            f" expected < {SECONDS_PER_FILE_MAX * 1000:.0f}",
            met=p95 < SECONDS_PER_FILE_MAX,
        )


def _samples(language: str) -> list[Sample]:
    samples = []
    for repository in corpus(language):
        workspace = walk(repository.root)
        own = own_modules_of(workspace)
        step = max(1, len(workspace.files) // FILES_PER_REPOSITORY)
        for file in workspace.files[::step]:
            context = FileContext(vocabulary(file.language), own.get(file.language, frozenset()))
            samples.append(Sample(file.language, read_source(repository.root, file.path), context))
    return samples


def _measure(sample: Sample) -> Times:
    language, rules = LANGUAGES[sample.language], grammar(sample.language)
    return Times(
        _cpu_seconds(lambda: rules.parser.parse(sample.source)),
        _cpu_seconds(lambda: pack(study(sample.source, language, sample.context))),
    )


def _cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _ratio(times: list[Times]) -> float:
    return sum(one.mining for one in times) / sum(one.parsing for one in times)


def _p95(times: list[Times]) -> float:
    return statistics.quantiles([one.mining for one in times], n=20)[_PERCENTILE_95]


def _print(language: str, samples: list[Sample], rounds: list[list[Times]], ratio: float, p95: float) -> None:
    megabytes = sum(len(sample.source) for sample in samples) / 1e6
    parsing = statistics.median(sum(one.parsing for one in times) for times in rounds)
    mining = statistics.median(sum(one.mining for one in times) for times in rounds)
    print(
        f"{language:12} {len(samples):6} {megabytes:6.1f} {megabytes / parsing:10.1f} {megabytes / mining:10.1f}"
        f" {ratio:6.2f} {p95 * 1000:7.1f}"
    )
