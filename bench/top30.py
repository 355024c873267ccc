"""The best idioms of each language over real repositories, written to `docs/examples/` with a person's verdicts.

What is chosen follows from the files alone, by the rule instances use; the verdicts lie in `verdicts.toml` by
readable template, so that a new run shows which of them still hold.
"""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from bench.corpora import Source, corpus
from bench.report import print_expectation, print_machine
from instance.agents.manifests import own_modules_of
from instance.analysis.languages import LANGUAGES
from instance.analysis.workspace import read_source, walk
from instance.learning.idioms import FileContext, Idiom, study
from instance.learning.selection import Candidate, select
from instance.learning.templates import readable
from instance.learning.vocabulary import vocabulary

TITLES: Final = {
    "python": "Python",
    "typescript": "TypeScript",
    "go": "Go",
    "rust": "Rust",
    "java": "Java",
    "elixir": "Elixir",
}
LIMIT: Final = 30
USEFUL_MIN: Final = 24
REPOSITORIES_SHARE: Final = 4
"""A quarter of the repositories must have it, and two at least."""
FILES_MIN: Final = 6
WORKERS: Final = 2
_VERDICTS: Final = Path(__file__).with_name("verdicts.toml")
_DOCUMENTS: Final = Path(__file__).parent.parent / "docs" / "examples"
_USEFUL: Final = "useful"
_NONE: Final = "no verdict"


class Mined(NamedTuple):
    """What one repository holds: files, in how many of them each idiom is, and what the idioms are."""

    files: int
    support: Counter[bytes]
    idioms: dict[bytes, Idiom]


class Best(NamedTuple):
    """An idiom with the files and repositories it is in."""

    idiom: Idiom
    files: int
    repositories: int


def main() -> None:
    """Mine every repository, choose, and write a page a language."""
    print_machine()
    known = tomllib.loads(_VERDICTS.read_text("utf-8"))
    with ProcessPoolExecutor(WORKERS) as pool:
        for language in TITLES:
            sources = corpus(language)
            best = choose(list(pool.map(mine_repository, sources)))
            verdicts = known.get(language, {})
            page = "\n".join(_page(language, sources, best, verdicts))
            _DOCUMENTS.joinpath(f"{language}.md").write_text(page, "utf-8")
            useful = _count_useful(best, verdicts)
            unjudged = sum(_verdict(one, verdicts) == _NONE for one in best)
            print_expectation(
                f"{language}: {useful} of {len(best)} useful and not redundant, expected >= {USEFUL_MIN};"
                f" {unjudged} without a verdict",
                met=useful >= USEFUL_MIN,
            )


def mine_repository(source: Source) -> Mined:
    """Count in how many files of a repository each idiom is."""
    workspace = walk(source.root)
    own = own_modules_of(workspace)
    support: Counter[bytes] = Counter()
    idioms: dict[bytes, Idiom] = {}
    for file in workspace.files:
        context = FileContext(vocabulary(file.language), own.get(file.language, frozenset()))
        found = study(read_source(source.root, file.path), LANGUAGES[file.language], context)
        support.update(found.occurrences.keys())
        idioms |= found.idioms
    return Mined(len(workspace.files), support, idioms)


def choose(repositories: Sequence[Mined]) -> list[Best]:
    """Select from all repositories, each of which weighs the same: a large one has no habits for the others."""
    holders: defaultdict[bytes, list[Mined]] = defaultdict(list)
    for repository in repositories:
        for identity in repository.support:
            holders[identity].append(repository)
    files_total = sum(repository.files for repository in repositories)
    repositories_min = max(2, len(repositories) // REPOSITORIES_SHARE)
    candidates = {}
    for identity, holding in holders.items():
        if len(holding) >= repositories_min and sum(one.support[identity] for one in holding) >= FILES_MIN:
            rate = sum(one.support[identity] / one.files for one in holding) / len(repositories)
            candidates[identity] = Candidate(holding[0].idioms[identity], round(rate * files_total), 0)
    chosen = select(candidates.values(), files_total, limit=LIMIT)
    return [_counted(candidate.idiom, holders[candidate.idiom.fingerprint]) for candidate in chosen]


def _counted(idiom: Idiom, holding: Sequence[Mined]) -> Best:
    return Best(idiom, sum(one.support[idiom.fingerprint] for one in holding), len(holding))


def _count_useful(best: Sequence[Best], verdicts: Mapping[str, str]) -> int:
    return sum(_verdict(one, verdicts).startswith(_USEFUL) for one in best)


def _verdict(one: Best, verdicts: Mapping[str, str]) -> str:
    return verdicts.get(readable(one.idiom.template), _NONE)


def _page(language: str, sources: Sequence[Source], best: Sequence[Best], verdicts: Mapping[str, str]) -> list[str]:
    names = ", ".join(f"{source.name} {source.version}" for source in sources)
    useful = _count_useful(best, verdicts)
    return [
        f"# What {TITLES[language]} code has in common",
        "",
        f"`python -m bench top30` chose these {len(best)} idioms from {len(sources)} repositories: {names}.",
        "",
        f"Files and repositories say where they are; the verdict is a person's: {useful} are useful and not redundant.",
        "",
        "`$1` is any name or value, and the same wherever it stands again; `{…}` is a body, `(…)` are arguments,",
        '`"S"` is a string, `#` a number, and `⏎` stands before a later statement.',
        "",
        "| | idiom | view | files | repositories | verdict |",
        "|--:|---|---|--:|--:|---|",
        *(_row(number, one, verdicts) for number, one in enumerate(best, 1)),
        "",
    ]


def _row(number: int, one: Best, verdicts: Mapping[str, str]) -> str:
    shown = readable(one.idiom.template).replace("|", "\\|")
    return f"| {number} | `{shown}` | {one.idiom.view} | {one.files} | {one.repositories} | {_verdict(one, verdicts)} |"
