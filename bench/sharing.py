"""Whether sharing helps: how many of a repository's idioms are named by its own evidence, the fleet's, and by both.

Each repository in turn is held out: a part of its files is seen, and what the rest of them hold is to be named. The
true idioms are those the product selects from the unseen files; recall@50 is the share of the first 50 of them among
the first 50 of a list. The other repositories of the language are the fleet, of which only what would cross the wire
is used, and the table of factors is fitted without the repository held out.

Files are split at random, and by release: packages carry no history, so all files of an older release are seen, and
files new, or new or changed, in the later one are to come. Checkouts of git (`--checkouts`) are split by first commit.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from bench import corpora
from bench.corpora import Source
from bench.heldout import splits, wire
from bench.heldout.fleet import Language, table
from bench.heldout.mined import WORKERS, Repository, mine_all
from bench.heldout.paired import Difference, difference
from bench.heldout.ranking import BOTH, KNOWN, LISTS, LOCAL, PLACES, Recall, knowledge, recalls
from bench.heldout.splits import FILES_MIN, SHARES_SEEN, Split
from bench.report import print_expectation, print_machine
from centralcloud.learning.calibration import Outcome
from shared.pool import cpu_pool

LANGUAGES: Final = ("python", "go", "typescript", "javascript", "rust", "java")
REPOSITORIES_MIN: Final = 8

EXPECTED: Final = {"5 % seen": 0.066, "20 % seen": 0.048, "50 % seen": 0.021}
"""Recall@50 that both gain over own files alone, with 41 repositories of other projects."""
EXPECTED_UNSEEN: Final = 0.185
LOSS_MAX: Final = 0.01

RELEASES: Final = {"release: new or changed": True, "release: new": False}

Results = dict[str, list[tuple[str, dict[str, Recall]]]]
"""By split: language and the recall of each list, for every repository."""


class Job(NamedTuple):
    """A language to measure, how well the others are foretold, and where the checkouts are."""

    language: Language
    others: list[tuple[str, Outcome]]
    checkouts: Mapping[str, Path]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkouts", type=Path, help="directory of <language>/<git checkout>, studied as well")
    checkouts = _checkouts(parser.parse_args().checkouts)
    print_machine()
    sources = [*_packages(), *checkouts]
    mined = mine_all(sources)
    languages = _languages(mined)
    results = _measure(languages, {source.name: source.root for source in checkouts})
    for places, number in enumerate(PLACES):
        _print_recall(results, places, number)
    _print_by_language(results)
    _print_shown(languages)
    _print_expectations(results)
    wire.measure(LANGUAGES[0], mined, sources)


def _packages() -> Iterator[Source]:
    for name in LANGUAGES:
        yield from corpora.corpus(name)


def _checkouts(directory: Path | None) -> list[Source]:
    found = sorted(directory.glob("*/*/.git")) if directory is not None else []
    return [Source(git.parent.parent.name, git.parent.name, git.parent, "", None) for git in found]


def _languages(mined: Iterable[Repository]) -> list[Language]:
    """Leave out repositories with hardly a file, and languages with too few repositories."""
    large = [repository for repository in mined if len(repository.files) >= FILES_MIN]
    ordered = sorted(large, key=attrgetter("language", "name"))
    grouped = [(name, list(found)) for name, found in groupby(ordered, key=attrgetter("language"))]
    return [Language(name, found) for name, found in grouped if len(found) >= REPOSITORIES_MIN]


def _measure(languages: Sequence[Language], checkouts: Mapping[str, Path]) -> Results:
    """Hold every repository out in turn, two languages at a time."""
    with cpu_pool(WORKERS) as pool:
        outcomes = dict(zip((one.name for one in languages), pool.map(Language.outcome, languages), strict=True))
        jobs = [
            Job(language, [(name, one) for name, one in outcomes.items() if one and name != language.name], checkouts)
            for language in languages
        ]
        results: Results = defaultdict(list)
        for found in pool.map(_measure_language, jobs):
            for name, one in found:
                results[name].append(one)
    return results


def _measure_language(job: Job) -> list[tuple[str, tuple[str, dict[str, Recall]]]]:
    language, results = job.language, []
    for number, repository in enumerate(language.repositories):
        heard = language.heard(number)
        calibration = table(language, number, job.others)
        for name, split in _splits(repository, job.checkouts):
            found = recalls(language, split, knowledge(language, split, heard, calibration))
            if found is not None:
                results.append((name, (language.name, found)))
    return results


def _splits(repository: Repository, checkouts: Mapping[str, Path]) -> Iterator[tuple[str, Split]]:
    for share in SHARES_SEEN:
        yield f"{share:.0%} seen".replace("%", " %"), splits.at_random(repository, share)
    for name, also_changed in RELEASES.items():
        release = splits.by_release(repository, also_changed=also_changed)
        if release is not None:
            yield name, release
    if repository.name in checkouts:
        for share in SHARES_SEEN[1:]:
            yield (
                f"oldest {share:.0%}".replace("%", " %"),
                splits.by_time(repository, checkouts[repository.name], share),
            )


def _print_recall(results: Results, places: int, number: int) -> None:
    columns = [*LISTS, KNOWN]
    print(f"\nrecall@{number:<19} {'repositories':>12}{''.join(f'{name:>28}' for name in columns)}")
    for split, found in results.items():
        means = "".join(f"{np.mean(_column(found, name, places)):28.3f}" for name in columns)
        print(f"{split:26} {len(found):12}{means}")
    print(f"\n{BOTH} minus {LOCAL}, recall@{number}: mean [95 % interval], repositories won/tied/lost")
    for split, found in results.items():
        print(f"{split:26} {_gain(found, places)}")


def _print_by_language(results: Results) -> None:
    names = sorted({language for found in results.values() for language, _ in found})
    print(f"\n{BOTH} minus {LOCAL}, recall@{PLACES[0]}, by language (recall of {BOTH})")
    print(f"{'':26}{''.join(f'{name:>18}' for name in names)}")
    for split, found in results.items():
        cells = []
        for name in names:
            here = [one for one in found if one[0] == name]
            gain = f"{_gain(here).mean:+.3f} ({np.mean(_column(here, BOTH)):.3f})" if here else ""
            cells.append(f"{gain:>18}")
        print(f"{split:26}{''.join(cells)}")


def _print_shown(languages: list[Language]) -> None:
    print(f"\n{'what crosses':14} {'repositories':>12} {'patterns each':>14} {'in >= 2':>9} {'template shown':>15}")
    for language in languages:
        heard = language.heard()
        shown = sum(language.shows(identity, one) for identity, one in heard.items())
        said = np.mean([len(one.files) for one in language.said])
        share = shown / max(len(heard), 1)
        print(f"{language.name:14} {len(language.said):12} {said:14,.0f} {len(heard):9,} {share:15.0%}")


def _print_expectations(results: Results) -> None:
    for split, expected in EXPECTED.items():
        found = _gain(results[split])
        print_expectation(
            f"{split}: recall@50 {found.mean:+.3f}, expected >= {expected:+.3f}", met=found.mean >= expected
        )
    unseen = float(np.mean(_column(results["0 % seen"], BOTH)))
    print_expectation(
        f"nothing seen: recall@50 {unseen:.3f}, expected >= {EXPECTED_UNSEEN}", met=unseen >= EXPECTED_UNSEEN
    )
    worst = min(_gain(found, places).mean for found in results.values() for places in range(len(PLACES)))
    print_expectation(f"never worse than {-LOSS_MAX}: {worst:+.3f} at worst", met=worst >= -LOSS_MAX)


def _gain(found: list[tuple[str, dict[str, Recall]]], places: int = 0) -> Difference:
    return difference(_column(found, BOTH, places), _column(found, LOCAL, places))


def _column(found: list[tuple[str, dict[str, Recall]]], name: str, places: int = 0) -> list[float]:
    return [recall[name][places] for _, recall in found]


if __name__ == "__main__":
    main()
