"""What would leave the machine now, composed by the very code that sends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from instance.analysis.secrets import find_secrets
from instance.cli.target import Target, open_target, resolve_settings
from instance.store import observations, outbox, workspace
from instance.store.observations import Known
from instance.sync.announce import Announcement, compose, open_gate
from instance.sync.choice import Limits
from instance.sync.gate import Gate
from schemas.codec import encode
from schemas.events import AnyEvent, ArchitecturePatternLearned, CodePatternLearned
from shared.commandline import print_table
from shared.database import transaction


@dataclass(frozen=True)
class Line:
    """One event for a person: what it tells of, and what of its text leaves."""

    fingerprint: str
    what: str
    files: int
    occurrences: int
    text: str


async def print_preview(name: str | None, *, as_json: bool) -> None:
    """Print every event that would be said now: its bytes, or a line for a person."""
    async with open_target(resolve_settings(name)) as target, transaction(target.engine) as connection:
        lines: list[Line] = []
        gate = await open_gate(connection, target.settings.sharing)
        for repository in await workspace.repositories(connection):
            composed = await compose(connection, repository, gate, _limits(target))
            if as_json:
                _print_events(composed)
                continue
            known = await observations.worth_saying(connection, repository, target.settings.pattern_files_min)
            by_fingerprint = {pattern.fingerprint: pattern for pattern in known}
            lines += [_line(event, gate, target, by_fingerprint) for event in _events(composed)]
        await _say_whether_it_leaves(connection)
    if not as_json:
        print_table(
            ["fingerprint", "what", "files", "uses", "text"],
            [(line.fingerprint[:12], line.what, line.files, line.occurrences, line.text) for line in lines],
            empty="Nothing: all there is to say has been said.",
        )


def why_withheld(pattern: Known, gate: Gate, policy: str) -> str:
    """Why the template of a pattern stays here."""
    if policy == "never":
        return "withheld: share_code_templates is never"
    if find_secrets(pattern.template):
        return "withheld: it may hold a secret"
    return f"withheld: {', '.join(gate.secret_names(pattern))} not known to be public"


def _limits(target: Target) -> Limits:
    return Limits(target.settings.pattern_files_min, target.settings.patterns_shared_max)


def _events(composed: Announcement) -> Sequence[AnyEvent]:
    return [*composed.learned, *composed.forgotten]


def _print_events(composed: Announcement) -> None:
    for event in _events(composed):
        click.echo(encode(event).decode())


def _line(event: AnyEvent, gate: Gate, target: Target, known: Mapping[str, Known]) -> Line:
    if isinstance(event, CodePatternLearned):
        pattern = known.get(event.fingerprint)  # None: the daemon has dropped it since
        text = event.template
        if text is None:
            text = why_withheld(pattern, gate, target.settings.share_code_templates) if pattern else "withheld"
        return Line(event.fingerprint, event.language, event.files, event.occurrences, text)
    if isinstance(event, ArchitecturePatternLearned):
        return Line(event.fingerprint, "architecture", event.files, event.occurrences, event.name)
    return Line(getattr(event, "fingerprint", ""), "forgotten", 0, 0, "it is no longer there")


async def _say_whether_it_leaves(connection: AsyncConnection) -> None:
    """Tell, beside the list, that an isolated instance sends nothing, and how much is on its way already."""
    if (await outbox.get(connection)).share_since is None:
        click.echo("isolated: no hub was ever configured, so none of this leaves the machine", err=True)
    waiting, _ = await outbox.backlog(connection)
    if waiting:
        click.echo(f"{waiting} events said before are still on their way", err=True)
