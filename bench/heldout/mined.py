"""Real repositories mined once, file by file, in memory: what every split of their files is then counted from."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from bench.corpora import FILES_MAX, Source
from instance.agents.manifests import own_modules_of
from instance.analysis.filters import SNIFF_BYTES, refuses_content
from instance.analysis.languages import LANGUAGES
from instance.analysis.workspace import SourceFile, read_source, walk
from instance.learning.idioms import FileContext, Idiom, study
from instance.learning.information import bits
from instance.learning.vocabulary import vocabulary
from shared.pool import cpu_pool

WORKERS: Final = 2


class MinedFile(NamedTuple):
    """One file and the fingerprints of its patterns."""

    path: str
    digest: bytes
    patterns: tuple[bytes, ...]


@dataclass
class Repository:
    """One repository in one language, and its files in an older release if there is one."""

    language: str
    name: str
    files: list[MinedFile] = field(default_factory=list)
    older: list[MinedFile] = field(default_factory=list)
    idioms: dict[bytes, Idiom] = field(default_factory=dict)
    bits: dict[bytes, float] = field(default_factory=dict)


def mine_all(sources: Sequence[Source]) -> list[Repository]:
    """Mine repositories with the product's miner, in two processes; the largest need a few seconds each."""
    with cpu_pool(WORKERS) as pool:
        return list(pool.map(_mine, sources))


def count(files: Iterable[MinedFile]) -> Counter[bytes]:
    """Count the files that show each pattern."""
    counts: Counter[bytes] = Counter()
    for file in files:
        counts.update(file.patterns)
    return counts


def _mine(source: Source) -> Repository:
    repository = Repository(source.language, source.name)
    known: dict[bytes, MinedFile] = {}
    repository.files.extend(_files(source.root, repository, known))
    if source.older is not None:
        repository.older.extend(_files(source.older, repository, known))
    repository.bits = {identity: bits(one.template, one.names) for identity, one in repository.idioms.items()}
    return repository


def _files(root: Path, repository: Repository, known: dict[bytes, MinedFile]) -> Iterator[MinedFile]:
    """Mine at most `FILES_MAX` files, chosen by their paths alone; what is the same in both releases only once."""
    workspace = walk(root)
    own = own_modules_of(workspace)
    family = LANGUAGES[repository.language].fingerprint_name
    files = [file for file in workspace.files if LANGUAGES[file.language].fingerprint_name == family]
    random.Random(repository.name).shuffle(files)  # noqa: S311 - the same choice on every machine
    for file in files[:FILES_MAX]:
        source = read_source(root, file.path)
        if refuses_content(source[:SNIFF_BYTES]) is None:
            digest = blake2b(source, digest_size=16).digest()
            if digest not in known:
                context = FileContext(vocabulary(file.language), own.get(file.language, frozenset()))
                known[digest] = _mined(file, digest, source, context, repository)
            yield known[digest]._replace(path=file.path)


def _mined(file: SourceFile, digest: bytes, source: bytes, context: FileContext, repository: Repository) -> MinedFile:
    found = study(source, LANGUAGES[file.language], context)
    for identity, idiom in found.idioms.items():
        repository.idioms.setdefault(identity, idiom)
    shared = (repository.idioms[identity].fingerprint for identity in found.occurrences)
    return MinedFile(file.path, digest, tuple(shared))
