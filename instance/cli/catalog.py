"""Patterns of an instance's database, as a person asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from instance.cli.target import Target, hexadecimal_prefix, open_target, resolve_settings
from instance.learning.support import Candidate, score, select
from instance.learning.templates import readable
from instance.store import observations, outbox, workspace
from instance.store import patterns as store
from instance.store.observations import CODE, Known
from instance.sync.choice import idiom_of
from shared.commandline import print_facts
from shared.database import transaction
from shared.errors import NotFoundError, UsageError

_MATCHES_MAX: Final = 200
_PLACES_MAX: Final = 20


@dataclass(frozen=True)
class Choice:
    """Which patterns are asked for; `everything` includes those a better one makes redundant."""

    language: str | None
    kind: str | None
    limit: int
    everything: bool


class Item(Struct, frozen=True, kw_only=True):
    """One pattern of one repository; `score` is what it saves in bits, 0 for architecture."""

    fingerprint: str
    kind: str
    language: str
    view: str
    template: str
    files: int
    occurrences: int
    score: float
    shared: str
    """`template`: its text and its counts, `counts`: these alone, `no`: nothing was said of it."""
    root: str


class Place(Struct, frozen=True, kw_only=True):
    """Where a pattern stands in one repository: the first files of it, by path."""

    root: str
    files: int
    occurrences: int
    shared: str
    paths: list[str]


class Details(Struct, frozen=True, kw_only=True):
    """One pattern wherever it is."""

    fingerprint: str
    kind: str
    language: str
    view: str
    tokens: int
    template: str
    places: list[Place]


async def listed(name: str | None, choice: Choice) -> list[Item]:
    """The chosen patterns of every repository of an instance, best first."""
    items: list[Item] = []
    async with open_target(resolve_settings(name)) as target, transaction(target.engine) as connection:
        sharing = (await outbox.get(connection)).share_since is not None
        for repository in await workspace.repositories(connection):
            known = await observations.worth_saying(connection, repository, target.settings.pattern_files_min)
            files_total = await workspace.count_files(connection, repository)
            wanted = [pattern for pattern in known if _wanted(pattern, choice)]
            best = await asyncio.to_thread(_best, wanted, files_total, choice)
            items += [_item(pattern, files_total, str(repository.root), sharing=sharing) for pattern in best]
    items.sort(key=lambda item: (-item.score, -item.files, item.fingerprint, item.root))
    return items[: choice.limit]


async def shown(name: str | None, fingerprint: str) -> Details:
    """The one pattern whose fingerprint begins so; NotFoundError for none, UsageError for several."""
    prefix = hexadecimal_prefix(fingerprint)
    async with open_target(resolve_settings(name)) as target:
        return await _details(target, prefix)


def print_details(details: Details) -> None:
    """Print a pattern for a person."""
    print_facts(
        [
            ("fingerprint", details.fingerprint),
            ("kind", f"{details.kind} {details.language} {details.view}".strip()),
            ("pattern", readable(details.template)),
        ]
    )
    for place in details.places:
        in_all = f"{place.files} files, {place.occurrences} uses, shared: {place.shared}"
        print_facts([("", ""), (place.root, in_all), *(("", path) for path in place.paths)])


def shared_as(pattern: Known, *, sharing: bool) -> str:
    """What was said of a pattern: its `template`, its `counts` alone, or `no` word."""
    if not sharing or not pattern.version or pattern.forgotten:
        return "no"
    return "template" if pattern.template_shared else "counts"


def candidate(pattern: Known) -> Candidate:
    """A pattern as the ranking takes it."""
    return Candidate(idiom_of(pattern), pattern.files, pattern.occurrences)


async def _details(target: Target, prefix: str) -> Details:
    async with transaction(target.engine) as connection:
        found = await store.by_prefix(connection, prefix, _MATCHES_MAX)
        if not found:
            raise NotFoundError(f"no pattern begins with {prefix}; see `flocklore patterns list`")
        if len({one.pattern.fingerprint for one in found}) > 1:
            raise UsageError(f"several patterns begin with {prefix}; give more digits")
        pattern = found[0].pattern
        sharing = (await outbox.get(connection)).share_since is not None
        places = [
            Place(
                root=one.root,
                files=one.pattern.files,
                occurrences=one.pattern.occurrences,
                shared=shared_as(one.pattern, sharing=sharing),
                paths=await store.places(connection, one.id, pattern.fingerprint, _PLACES_MAX),
            )
            for one in found
        ]
    return Details(
        fingerprint=pattern.fingerprint,
        kind=pattern.kind,
        language=pattern.language,
        view=pattern.view,
        tokens=pattern.tokens,
        template=pattern.template,
        places=places,
    )


def _wanted(pattern: Known, choice: Choice) -> bool:
    if choice.language is not None and pattern.language != choice.language:
        return False
    return choice.kind is None or pattern.kind == f"{choice.kind}.pattern"


def _best(patterns: Iterable[Known], files_total: int, choice: Choice) -> list[Known]:
    """What is not redundant, at most `limit` of each language; with `everything` all of it."""
    if choice.everything:
        return list(patterns)
    by_language: dict[str, dict[bytes, Known]] = {}
    chosen = []
    for pattern in patterns:
        if pattern.kind == CODE:
            by_language.setdefault(pattern.language, {})[bytes.fromhex(pattern.fingerprint)] = pattern
        else:
            chosen.append(pattern)
    for known in by_language.values():
        best = select(map(candidate, known.values()), files_total, limit=choice.limit)
        chosen += [known[one.idiom.fingerprint] for one in best]
    return chosen


def _item(pattern: Known, files_total: int, root: str, *, sharing: bool) -> Item:
    saved = score(idiom_of(pattern), pattern.files, files_total) if pattern.kind == CODE else 0.0
    return Item(
        fingerprint=pattern.fingerprint,
        kind=pattern.kind,
        language=pattern.language,
        view=pattern.view,
        template=pattern.template,
        files=pattern.files,
        occurrences=pattern.occurrences,
        score=round(saved, 1),
        shared=shared_as(pattern, sharing=sharing),
        root=root,
    )
