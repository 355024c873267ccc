"""`flocklore config`: the settings of both daemons and where each came from."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

import click

from shared.commandline import Commands, json_option, print_json, print_table
from shared.config import FILE_NAME, Resolved
from shared.errors import AlreadyRunningError

LOADERS: Final = {"instance": "instance.config", "centralcloud": "centralcloud.config"}
"""Modules with a `load`; named, not imported: the mesh starts daemons as processes and imports neither."""

file_option = click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help=f"Instead of {FILE_NAME} here."
)


@click.group(cls=Commands)
def config() -> None:
    """Look at the settings, and write a first flocklore.toml."""


@config.command()
@file_option
@json_option
def show(*, file: Path | None, as_json: bool) -> None:
    """Show each setting of both daemons and where its value came from; secrets are masked."""
    shown = {daemon: _load(daemon, file).shown() for daemon in LOADERS}
    if as_json:
        print_json(
            {
                daemon: {key: {"value": value, "origin": origin} for key, value, origin in rows}
                for daemon, rows in shown.items()
            }
        )
        return
    rows = [(daemon, *row) for daemon, settings in shown.items() for row in settings]
    print_table(["daemon", "setting", "value", "from"], rows, empty="")


@config.command()
@file_option
@json_option
def check(*, file: Path | None, as_json: bool) -> None:
    """Check the settings of both daemons; exit 78 names the first that is wrong."""
    for daemon in LOADERS:
        _load(daemon, file)
    if as_json:
        print_json({"ok": True})
    else:
        click.echo("The settings of both daemons are right.")


@config.command()
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), default=FILE_NAME, show_default=True)
@json_option
def init(*, file: Path, as_json: bool) -> None:
    """Write a flocklore.toml in which every setting stands, commented out; never overwrites one."""
    from mesh.config_template import TEMPLATE

    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(TEMPLATE)
    except FileExistsError:
        raise AlreadyRunningError(f"{file} exists; name another with --file, or edit it") from None
    if as_json:
        print_json({"written": str(file.absolute())})
    else:
        click.echo(f"wrote {file}; uncomment what you change, then run `flocklore config check`")


def _load(daemon: str, file: Path | None) -> Resolved[Any]:
    resolved: Resolved[Any] = importlib.import_module(LOADERS[daemon]).load(file=file)
    return resolved
