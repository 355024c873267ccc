"""What the commands that record, import and label do in the database of an instance."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from string import hexdigits
from typing import Any, NamedTuple

import click
import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.cli.target import Target, open_target, resolve_settings
from instance.config import InstanceSettings
from instance.learning.prices import prices
from instance.recording import environment, formats, spool
from instance.recording.formats import Source
from instance.recording.importing import Imported, import_file
from instance.recording.reading import Origin
from instance.store import result_listing, result_words, results
from instance.store.result_listing import COMMIT_DIGITS_MIN, LabelRow, ResultRow
from instance.store.result_words import Subject
from instance.store.results import JobResult, Label
from shared.database import transaction
from shared.embedded.paths import state_path
from shared.errors import NotFoundError, UsageError


class Unread(Struct, frozen=True, kw_only=True):
    """Lines of a file that could not be read; the first are named."""

    path: str
    lines: int
    named: list[str]


class Summary(Struct, frozen=True, kw_only=True):
    """What an import did."""

    files: int
    results: int
    """Found in the files."""
    new: int
    """Of them, not recorded before."""
    delivered: int
    """Taken in from what could not be recorded when it happened."""
    unread: list[Unread]


class Chosen(NamedTuple):
    """Which results a label is about: by their ids, of a job, or of a commit and perhaps of one kind."""

    ids: Sequence[int]
    job: str | None
    commit: str | None
    job_type: str | None


class Labelled(Struct, frozen=True, kw_only=True):
    """What a label did."""

    results: int
    """That it is about."""
    changed: int
    """For which it stands now; for the others a later one does."""


class Details(Struct, frozen=True, kw_only=True):
    """One result and every word on it."""

    result: ResultRow
    labels: list[LabelRow]


async def record(settings: InstanceSettings, unkept: Sequence[Mapping[str, Any]]) -> None:
    """Record what waits on the disk for the instance, and results that could not even be kept there."""
    async with open_target(settings) as target:
        await _deliver(target)
        if unkept:
            async with transaction(target.engine) as connection:
                await results.record_many(connection, [msgspec.convert(one, JobResult) for one in unkept])


async def imported(name: str | None, paths: Sequence[Path], form: str, own_prices: Path | None) -> Summary:
    """Import files, or all transcripts of this user."""
    settings = resolve_settings(name)
    found = formats.sources(paths, form) if paths else _transcripts()
    known = prices(own_prices)
    ci = environment.here(os.environ, Path()) if environment.of_ci(os.environ) else {}
    async with open_target(settings) as target:
        delivered = await _deliver(target, unnamed=True)
        done = []
        with _progress(found) as on_read:
            for source in found:
                origin = Origin(datetime.now(UTC), known, context=ci)
                done.append(await import_file(target.engine, source, origin, on_read))
    return _summary(done, delivered)


async def label(name: str | None, chosen: Chosen, said: Label) -> Labelled:
    """Label the chosen results; what is said of a job or a commit is kept for those that are recorded later.

    `NotFoundError` when there is no result of one of the ids.
    """
    subject = _subject(chosen)
    async with _instance(name) as target, transaction(target.engine) as connection:
        if subject is not None:
            await result_words.keep(connection, subject, said)
        ids = await _ids(connection, chosen)
        return Labelled(results=len(ids), changed=await results.label(connection, ids, said))


async def listed(name: str | None, **filters: Any) -> list[ResultRow]:
    """Read results, those that ended last first."""
    async with _instance(name) as target, transaction(target.engine) as connection:
        return await result_listing.list_results(connection, **filters)


async def shown(name: str | None, result_id: int) -> Details:
    """Read one result; `NotFoundError` when there is none."""
    async with _instance(name) as target, transaction(target.engine) as connection:
        found = await result_listing.get(connection, result_id)
        if found is None:
            raise NotFoundError(f"there is no result {result_id}; `flocklore results list` shows them")
        return Details(result=found, labels=await result_listing.labels(connection, result_id))


@asynccontextmanager
async def _instance(name: str | None) -> AsyncIterator[Target]:
    """An instance that has what commands recorded for it."""
    async with open_target(resolve_settings(name)) as target:
        await _deliver(target)
        yield target


async def _deliver(target: Target, *, unnamed: bool = False) -> int:
    """Take in what waits for this instance; what waits for any only where the choice of it leaves no doubt."""
    chosen = target.settings.instance_id
    names = [target.identity.instance_id, chosen, *([None] if unnamed or chosen is None else [])]
    return await spool.deliver(target.engine, state_path(target.settings.state_dir), names)


def _subject(chosen: Chosen) -> Subject | None:
    """Tell what is spoken of beside results that are there; raises `UsageError` for what is no commit."""
    if chosen.commit is None:
        return Subject("job", chosen.job) if chosen.job is not None else None
    if len(chosen.commit) < COMMIT_DIGITS_MIN or set(chosen.commit.lower()) - set(hexdigits):
        raise UsageError(f"{chosen.commit!r} is no commit: give at least {COMMIT_DIGITS_MIN} of its digits")
    return Subject("commit", chosen.commit, chosen.job_type)


async def _ids(connection: AsyncConnection, chosen: Chosen) -> list[int]:
    if chosen.commit is not None:
        return await result_listing.of_commit(connection, chosen.commit, chosen.job_type)
    if chosen.job is not None:
        return await results.of_job(connection, chosen.job)
    found = await result_listing.existing(connection, chosen.ids)
    if missing := sorted(set(chosen.ids) - set(found)):
        raise NotFoundError(f"there is no result {', '.join(map(str, missing))}; nothing was labelled")
    return found


def _transcripts() -> list[Source]:
    places = formats.transcripts(os.environ, Path.home())
    return [source for place in places for source in formats.sources([place.path], place.form)]


@contextmanager
def _progress(found: Sequence[Source]) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many bytes were read."""
    total = sum(source.path.stat().st_size for source in found)
    hidden = not sys.stderr.isatty()
    bar: Any = click.progressbar(length=total, label="importing", file=sys.stderr, hidden=hidden)
    with bar:
        yield bar.update


def _summary(done: Sequence[Imported], delivered: int) -> Summary:
    unread = [
        Unread(path=str(one.path), lines=one.faults.count, named=one.faults.named) for one in done if one.faults.count
    ]
    return Summary(
        files=len(done),
        results=sum(one.results for one in done),
        new=sum(one.new for one in done),
        delivered=delivered,
        unread=unread,
    )
