"""The architecture of a directory, printed for the people who work on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from instance.learning.architecture.report import LanguageReport, Report
from shared.commandline import print_facts, print_table


def print_report(report: Report) -> None:
    """Print graphs, entry points, services and patterns."""
    for language in report.languages:
        click.echo(f"== {language.language}")
        print_facts(_facts(language))
    if report.entries or report.services:
        click.echo("== entry points and services")
        print_facts((kind, _listed(paths)) for kind, paths in report.entries.items())
        print_facts((f"service {name}", f"{count} files") for name, count in report.services.items())
    click.echo("== patterns")
    print_table(
        ["pattern", "language", "evidence", "confidence", "meaning"],
        [(one.name, one.language, one.evidence, f"{one.confidence:.2f}", one.description) for one in report.patterns],
        empty="No pattern that has a name.",
    )


def _facts(language: LanguageReport) -> Iterator[tuple[str, str]]:
    yield "modules", f"{language.modules}, {language.dependencies} dependencies, {language.resolved:.0%} resolved"
    yield "cycles", str(len(language.cycles))
    for cycle in language.cycles:
        yield "", f"{len(cycle)}: {_listed(cycle)}"
    yield "hubs", ", ".join(f"{hub.module} ({hub.needed_by})" for hub in language.hubs[:5]) or "-"
    yield "layers", " > ".join(f"{layer.role} ({layer.modules})" for layer in language.layers) or "-"
    for breach in language.breaches:
        yield "outwards", f"{breach.module} ({breach.role}) needs {breach.needed} ({breach.needed_role})"
    yield "isolated", _listed(language.isolated) or "-"


def _listed(names: Iterable[str], most: int = 6) -> str:
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more
