"""`flocklore patterns`: what an instance found, and what of it would leave the machine."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from pathlib import Path

import click

from instance.cli.options import instance_option, language_option, limit_option
from shared.commandline import Commands, json_option, print_json, print_table, run_command

KINDS = ("code", "usage", "architecture", "technology", "dependency", "schema")


@click.group(cls=Commands)
def patterns() -> None:
    """Look at the patterns of an instance, and at what it shares."""


@patterns.command("list")
@instance_option
@language_option
@click.option("--kind", type=click.Choice(KINDS), help="Only of this kind.")
@limit_option(20)
@click.option("--all", "everything", is_flag=True, help="Also patterns that say little beside a better one.")
@json_option
def list_patterns(
    *, instance_id: str | None, language: str | None, kind: str | None, limit: int, everything: bool, as_json: bool
) -> None:
    """List the patterns found, the most informative first."""
    from instance.cli import catalog
    from instance.learning.templates import readable

    choice = catalog.Choice(language=language, kind=kind, limit=limit, everything=everything)
    found = run_command(catalog.listed(instance_id, choice))
    if as_json:
        print_json(found)
        return
    print_table(
        ["fingerprint", "language", "files", "uses", "shared", "pattern"],
        [
            (item.fingerprint[:12], item.language, item.files, item.occurrences, item.shared, readable(item.template))
            for item in found
        ],
        empty="No patterns yet; `flocklore instance show` tells what was studied.",
    )


@patterns.command()
@click.argument("words", nargs=-1, required=True)
@instance_option
@limit_option(10)
@json_option
def search(*, words: tuple[str, ...], instance_id: str | None, limit: int, as_json: bool) -> None:
    """Find functions and classes by WORDS: what they do, in their names, or in their text."""
    from instance.cli import asking

    found = run_command(asking.searched(instance_id, " ".join(words), limit))
    if as_json:
        print_json(found)
    else:
        asking.print_hits(found)


@patterns.command()
@click.argument("fingerprint")
@instance_option
@json_option
def show(*, fingerprint: str, instance_id: str | None, as_json: bool) -> None:
    """Show the pattern whose fingerprint begins with FINGERPRINT, and the files it is in."""
    from instance.cli import catalog

    found = run_command(catalog.shown(instance_id, fingerprint))
    if as_json:
        print_json(found)
    else:
        catalog.print_details(found)


@patterns.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@language_option
@limit_option(20)
@json_option
def mine(*, directory: Path, language: str | None, limit: int, as_json: bool) -> None:
    """Study DIRECTORY here and now, and print what is in it; nothing is kept and nothing is sent.

    A running instance studies its own directories hourly by its schedule `pattern_mining`.
    """
    from instance.cli import mining
    from instance.learning.templates import readable

    found = mining.survey(directory.resolve(), language=language, limit=limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ["fingerprint", "language", "files", "uses", "pattern"],
        [
            (item.fingerprint[:12], item.language, item.files, item.occurrences, readable(item.template))
            for item in found.patterns
        ],
        empty="No pattern is in two files or more.",
    )
    for what, named in (("skipped", found.skipped), ("not all read", found.left_out)):
        for reason, paths in named.items():
            click.echo(f"{what}, {reason}: {', '.join(paths[:5])}{' ...' if len(paths) > 5 else ''}", err=True)  # noqa: PLR2004
    click.echo(f"{found.files} files studied, {found.shapes} shapes in two files or more", err=True)


@patterns.command()
@instance_option
@click.option("--json", "as_json", is_flag=True, help="The very events, one JSON document per line.")
def preview(*, instance_id: str | None, as_json: bool) -> None:
    """Print exactly what would be sent now, and what is withheld and why; sends nothing.

    What may leave is decided as the settings of this shell say (share_code_templates, patterns_shared_max,
    pattern_files_min); a daemon with other settings decides by its own.
    """
    from instance.cli import preview as previewing

    run_command(previewing.print_preview(instance_id, as_json=as_json))
