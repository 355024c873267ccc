"""Studying a directory without an instance: in memory, and nothing is kept."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any, Final

import click
from msgspec import Struct

from instance.agents.codebase import Codebase
from instance.agents.manifests import own_modules_of
from instance.agents.miner import POOL_FROM_FILES, WORKERS
from instance.agents.reading import Batch, read_batch
from instance.analysis.workspace import Skipped, Workspace, changes, walk
from instance.learning.idioms import Idiom
from instance.learning.selection import Candidate, score, select
from instance.learning.support import unpack
from instance.store.workspace import PatternRow
from shared.pool import cpu_pool

FILES_MIN: Final = 2
_BATCH_FILES: Final = 40


class Mined(Struct, frozen=True, kw_only=True):
    """One pattern; `score` is what it saves in bits."""

    fingerprint: str
    language: str
    view: str
    template: str
    files: int
    occurrences: int
    score: float


class Survey(Struct, frozen=True, kw_only=True):
    """What is in a directory: files studied, skipped, left out; shapes in two files or more, and the best of them."""

    root: str
    files: int
    skipped: dict[str, list[str]]
    """The first files that were not studied, by reason."""
    left_out: dict[str, list[str]]
    """The first files of which not everything could be read, by reason."""
    shapes: int
    patterns: list[Mined]


def survey(root: Path, *, language: str | None, limit: int) -> Survey:
    """Mine every file below `root`, and return the `limit` best patterns of one language or of all."""
    workspace = walk(root)
    found = changes(workspace, {})
    paths = [file.path for file, _ in found.to_read if language in (None, file.language)]
    files: Counter[str] = Counter()
    occurrences: Counter[str] = Counter()
    rows: dict[str, PatternRow] = {}
    left_out = Skipped()
    for batch in _with_progress(_mined(workspace, paths), len(paths)):
        rows |= batch.patterns
        left_out.merge(batch.left_out)
        for file in batch.files:
            postings = {fingerprint.hex(): count for fingerprint, count in unpack(file.postings).items()}
            files.update(postings.keys())
            occurrences.update(postings)
    candidates = [
        Candidate(_idiom(row), files[key], occurrences[key]) for key, row in rows.items() if files[key] >= FILES_MIN
    ]
    return Survey(
        root=str(root),
        files=len(paths),
        skipped=found.skipped.examples,
        left_out=left_out.examples,
        shapes=len(candidates),
        patterns=_best(candidates, len(paths), limit),
    )


def codebase_of(root: Path) -> Codebase:
    """Read every file below `root`, as an instance does, for the agents to study."""
    workspace = walk(root)
    paths = [file.path for file, _ in changes(workspace, {}).to_read]
    batches = _with_progress(_mined(workspace, paths), len(paths))
    return Codebase(workspace, {file.path: file.facts for batch in batches for file in batch.files})


def _mined(workspace: Workspace, paths: Sequence[str]) -> Iterator[Batch]:
    """Mine batches as they come: in processes where there are many files."""
    own = own_modules_of(workspace)
    batches = [paths[start : start + _BATCH_FILES] for start in range(0, len(paths), _BATCH_FILES)]
    if len(paths) < POOL_FROM_FILES:
        yield from (read_batch(workspace.root, batch, own) for batch in batches)
        return
    pool = cpu_pool(WORKERS)
    try:
        for done in as_completed([pool.submit(read_batch, workspace.root, batch, own) for batch in batches]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _with_progress(batches: Iterable[Batch], total: int) -> Iterator[Batch]:
    """Show on a terminal how far it is."""
    hidden = not sys.stderr.isatty()
    bar: Any = click.progressbar(length=total, label="studying", file=sys.stderr, hidden=hidden)
    with bar:
        for batch in batches:
            yield batch
            bar.update(len(batch.files) + len(batch.unreadable))


def _best(candidates: Sequence[Candidate], files_total: int, limit: int) -> list[Mined]:
    by_language: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_language.setdefault(candidate.idiom.language, []).append(candidate)
    chosen = [
        _shown(candidate, files_total)
        for known in by_language.values()
        for candidate in select(known, files_total, limit=limit)
    ]
    return sorted(chosen, key=lambda mined: (-mined.score, mined.fingerprint))[:limit]


def _shown(candidate: Candidate, files_total: int) -> Mined:
    idiom = candidate.idiom
    return Mined(
        fingerprint=idiom.fingerprint.hex(),
        language=idiom.language,
        view=idiom.view,
        template=idiom.template,
        files=candidate.files,
        occurrences=candidate.occurrences,
        score=round(score(idiom, candidate.files, files_total), 1),
    )


def _idiom(row: PatternRow) -> Idiom:
    return Idiom(bytes.fromhex(row.fingerprint), row.language, row.view, row.template, row.names, row.tokens, 0)
