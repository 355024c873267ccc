"""`flocklore codebase`: what the agents see in a directory, with its own names. Nothing is kept, nothing is sent."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from pathlib import Path

import click

from shared.commandline import Commands, json_option, print_json, print_table

_directory = click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")


@click.group(cls=Commands)
def codebase() -> None:
    """Study a directory here and now; nothing is kept, and nothing is sent."""


@codebase.command()
@_directory
@json_option
def architecture(*, directory: Path, as_json: bool) -> None:
    """Show its import graph: cycles, hubs, layers and what breaks them, entry points, services, styles."""
    from instance.agents.architect import draw
    from instance.cli import drawing
    from instance.cli.mining import codebase_of

    found = draw(codebase_of(directory.resolve()))
    if as_json:
        print_json(found)
    else:
        drawing.print_report(found)


@codebase.command()
@_directory
@json_option
def technology(*, directory: Path, as_json: bool) -> None:
    """List its frameworks and tools, how sure that is, and by what it was found."""
    from instance.agents.technologist import technologies_of
    from instance.cli.mining import codebase_of

    found = technologies_of(codebase_of(directory.resolve()))
    if as_json:
        print_json(found)
        return
    print_table(
        ["framework", "category", "version", "confidence", "files", "found by"],
        [
            (
                one.name,
                one.category,
                one.version or "-",
                f"{one.confidence:.2f}",
                one.importing_files,
                ", ".join(f"{each.kind} {each.count}" for each in one.evidence),
            )
            for one in found.frameworks
        ],
        empty="No framework that the rules know.",
    )
    for one in found.undetermined:
        click.echo(f"unknown and widely used: {one.ecosystem} {one.name} in {one.importing_files} files", err=True)
    for path, reason in found.unreadable.items():
        click.echo(f"unreadable: {path}: {reason}", err=True)


@codebase.command()
@_directory
@click.option("--sbom", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Read this report instead.")
@click.option(
    "--form",
    type=click.Choice(["table", "purl", "cyclonedx"]),
    default="table",
    show_default=True,
    help="A package URL a line, or a CycloneDX 1.6 document.",
)
@json_option
def dependencies(*, directory: Path, sbom: Path | None, form: str, as_json: bool) -> None:
    """List the packages it depends on, from its manifests and lock files or from a CycloneDX document."""
    from instance.cli import materials

    found = materials.read(sbom) if sbom is not None else materials.of_directory(directory.resolve())
    if as_json:
        print_json(found)
    else:
        materials.print_dependencies(found, form, directory.resolve().name)


@codebase.command()
@_directory
@json_option
def tables(*, directory: Path, as_json: bool) -> None:
    """List the tables that its migrations and models declare."""
    from instance.agents.modeller import tables_of
    from instance.cli.mining import codebase_of

    found = tables_of(codebase_of(directory.resolve()))
    if as_json:
        print_json(found)
        return
    print_table(
        ["table", "columns", "primary key", "foreign keys", "indexes", "source", "path"],
        [
            (
                one.name,
                len(one.columns),
                ", ".join(one.primary_key) or "-",
                len(one.foreign_keys),
                len(one.indexes) + len(one.uniques),
                one.source,
                one.path,
            )
            for one in found
        ],
        empty="No table is declared here.",
    )
