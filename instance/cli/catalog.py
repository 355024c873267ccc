"""Patterns of an instance's database, as a person asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec import Struct

from instance.cli.ranking import Surroundings, ranked, surroundings
from instance.cli.target import Target, hexadecimal_prefix, open_target, resolve_settings
from instance.learning.selection import score
from instance.learning.templates import readable
from instance.learning.usage.patterns import SEQUENCE
from instance.store import observations, outbox, workspace
from instance.store import patterns as store
from instance.store.observations import CODE, Known
from instance.sync.choice import idiom_of
from shared.commandline import print_facts
from shared.database import transaction
from shared.errors import NotFoundError, UsageError

KINDS: Final[Mapping[str, Callable[[Known], bool]]] = MappingProxyType(
    {
        "code": lambda pattern: pattern.kind == CODE and pattern.view != SEQUENCE,
        "usage": lambda pattern: pattern.kind == CODE and pattern.view == SEQUENCE,
        "architecture": lambda pattern: pattern.kind == "architecture.pattern",
        "technology": lambda pattern: pattern.kind in ("technology.language", "technology.framework"),
        "dependency": lambda pattern: pattern.kind == "technology.dependency",
        "schema": lambda pattern: pattern.kind == "data.schema",
    }
)
"""What `--kind` may ask for."""

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
    """One pattern of one repository; `score` is what it saves in bits, 0 for what is no code."""

    fingerprint: str
    kind: str
    language: str
    view: str
    template: str
    files: int
    occurrences: int
    score: float
    expected: float
    """Share of further files expected to show it, by what was seen here and, where it is known, in the fleet."""
    shared: str
    """`template`: its text and its counts, `counts`: these alone, `no`: nothing was said of it."""
    root: str


class Ranked(NamedTuple):
    """A pattern, what it saves in bits, and the share of further files expected to show it."""

    pattern: Known
    score: float
    expected: float


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
            wanted = [pattern for pattern in known if _wanted(pattern, choice)]
            around = await surroundings(connection, repository, wanted)
            best = await asyncio.to_thread(_best, wanted, around, choice)
            items += [_item(one, str(repository.root), sharing=sharing) for one in best]
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
    return choice.kind is None or KINDS[choice.kind](pattern)


def _best(patterns: Iterable[Known], around: Surroundings, choice: Choice) -> list[Ranked]:
    """What is not redundant, at most `limit` of each language; with `everything` all of it."""
    by_language: dict[str, dict[bytes, Known]] = {}
    chosen = []
    for pattern in patterns:
        if pattern.kind == CODE:
            by_language.setdefault(pattern.language, {})[bytes.fromhex(pattern.fingerprint)] = pattern
        else:
            chosen.append(Ranked(pattern, 0.0, 0.0))
    for language, known in by_language.items():
        expected = ranked(language, known.values(), around, len(known) if choice.everything else choice.limit)
        seen = max(around.files.get(language, 0), 1)
        rates = {one.evidence.idiom.fingerprint: one.rate for one in expected}
        shown = known.keys() if choice.everything else rates
        chosen += [
            Ranked(known[one], score(idiom_of(known[one]), known[one].files, seen), rates.get(one, 0.0))
            for one in shown
        ]
    return chosen


def _item(one: Ranked, root: str, *, sharing: bool) -> Item:
    pattern = one.pattern
    return Item(
        fingerprint=pattern.fingerprint,
        kind=pattern.kind,
        language=pattern.language,
        view=pattern.view,
        template=pattern.template,
        files=pattern.files,
        occurrences=pattern.occurrences,
        score=round(one.score, 1),
        expected=round(one.expected, 4),
        shared=shared_as(pattern, sharing=sharing),
        root=root,
    )
