"""Insights as an instance holds them, and where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from msgspec import Struct, structs

from instance.cli.target import Target, ask_hub, hexadecimal_prefix, open_target, resolve_settings
from instance.learning.templates import readable
from instance.store import insights
from instance.store.insights import Held, Step
from schemas.insights import Insight, Provenance, WhyQuery
from schemas.subjects import WHY_QUERY
from shared.commandline import print_facts, print_json, print_table
from shared.database import transaction
from shared.errors import FlockloreError, NotFoundError, UsageError

COLUMNS: Final = ("id", "kind", "language", "instances", "repositories", "confidence", "insight")


@dataclass(frozen=True)
class Choice:
    """Which insights are asked for."""

    language: str | None
    limit: int
    words: str | None = None
    everything: bool = False


class Story(Struct, frozen=True, kw_only=True):
    """An insight, what happened to it here, and what centralcloud says of its origin."""

    insight: Insight
    undone: bool
    applied_at: datetime
    here: list[Step]
    provenance: Provenance | None = None
    unanswered: str | None = None
    """Why centralcloud was not asked or did not answer."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What undoing or redoing did."""

    id: str
    undone: bool
    changed: bool


async def listed(name: str | None, choice: Choice) -> list[Held]:
    """The chosen insights, the most widely held first."""
    async with open_target(resolve_settings(name)) as target, transaction(target.engine) as connection:
        return await insights.active(
            connection,
            limit=choice.limit,
            language=choice.language,
            words=choice.words,
            include_undone=choice.everything,
        )


async def story(name: str | None, prefix: str) -> Story:
    """The insight whose id begins so; NotFoundError for none, UsageError for several."""
    async with open_target(resolve_settings(name)) as target:
        return await story_of(target, prefix)


async def story_with_provenance(name: str | None, prefix: str) -> Story:
    """The same, with what centralcloud answers about its origin, or why it does not."""
    async with open_target(resolve_settings(name)) as target:
        told = await story_of(target, prefix)
        query = WhyQuery(insight_id=told.insight.id, tenant=target.identity.tenant)
        try:
            provenance = await ask_hub(target.settings, WHY_QUERY, query, Provenance)
        except FlockloreError as error:
            return structs.replace(told, unanswered=str(error))
    return structs.replace(told, provenance=provenance)


async def set_undone(name: str | None, prefix: str, *, undone: bool) -> Outcome:
    """Stop using an insight here, or use it again."""
    async with open_target(resolve_settings(name)) as target:
        told = await story_of(target, prefix)
        async with transaction(target.engine) as connection:
            changed = await insights.set_undone(connection, told.insight.id, undone=undone)
    return Outcome(id=told.insight.id, undone=undone, changed=changed)


def print_insights(held: Sequence[Held], *, as_json: bool) -> None:
    """Print a list of insights."""
    if as_json:
        print_json(held)
        return
    print_table(
        COLUMNS,
        [cells(one.insight, " (undone here)" if one.undone else "") for one in held],
        empty="No insights. They come once two instances have found the same; see `flocklore instance list`.",
    )


def print_story(told: Story) -> None:
    """Print an insight and what happened to it here."""
    insight = told.insight
    print_facts(
        [
            ("id", insight.id),
            ("insight", text_of(insight)),
            ("kind", f"{insight.kind} {insight.language} {insight.view}".strip()),
            ("state", f"{insight.state}, {'undone here' if told.undone else 'used here'}"),
            ("instances", insight.instances),
            ("repositories", insight.repositories),
            ("files", f"{insight.files}, with {insight.occurrences} uses"),
            ("confidence", f"{insight.confidence:.4f}, seen in {insight.rate:.0%} of comparable repositories"),
            ("contributors", ", ".join(insight.contributors)),
            ("evidence", insight.evidence),
        ]
    )
    print_table(
        ["version", "here", "at"],
        [(step.version, step.change, step.changed_at.isoformat(timespec="seconds")) for step in told.here],
        empty="Nothing has happened to it here.",
    )


def print_provenance(told: Story) -> None:
    """Print an insight with every observation behind it."""
    print_story(told)
    if told.provenance is None:
        print_facts([("", ""), ("centralcloud", f"not asked: {told.unanswered}")])
        return
    print_table(
        ["instance", "repository", "files", "uses", "event", "received", "trusted"],
        [
            (
                evidence.instance,
                evidence.repository[:12],
                evidence.files,
                evidence.occurrences,
                f"{evidence.epoch[:12]}/{evidence.seq}",
                evidence.received_at.isoformat(timespec="seconds"),
                evidence.trusted,
            )
            for evidence in told.provenance.observations
        ],
        empty="Centralcloud holds no observation behind it any more.",
    )


def cells(insight: Insight, remark: str = "") -> tuple[Any, ...]:
    """One line of a list, below `COLUMNS`."""
    return (
        insight.id[:12],
        insight.kind,
        insight.language,
        insight.instances,
        insight.repositories,
        f"{insight.confidence:.2f}",
        f"{text_of(insight)}{' (from above)' if insight.above else ''}{remark}",
    )


def text_of(insight: Insight) -> str:
    """What an insight says: its name, its template, or that only its fingerprint is shared."""
    return insight.name or (readable(insight.template) if insight.template else "(its text is not shared)")


async def story_of(target: Target, prefix: str) -> Story:
    """The insight whose id begins so, in an open database."""
    prefix = hexadecimal_prefix(prefix)
    async with transaction(target.engine) as connection:
        found = await insights.by_prefix(connection, prefix)
        if not found:
            raise NotFoundError(f"no insight begins with {prefix}; see `flocklore insights list`")
        if len(found) > 1:
            raise UsageError(f"several insights begin with {prefix}; give more digits")
        held = found[0]
        here = await insights.history(connection, held.insight.id)
    return Story(insight=held.insight, undone=held.undone, applied_at=held.applied_at, here=here)
