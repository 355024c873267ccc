"""`flocklore version` and `flocklore completion`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

import platform

import click

from shared.commandline import json_option, print_facts, print_json
from shared.errors import UsageError
from shared.version import VERSION


@click.command()
@json_option
def version(*, as_json: bool) -> None:
    """Show the version of Flocklore, of Python and of the system."""
    facts = {"flocklore": VERSION, "python": platform.python_version(), "system": platform.platform()}
    if as_json:
        print_json(facts)
    else:
        print_facts(facts.items())


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(*, shell: str) -> None:
    """Print the script that completes commands in SHELL; for bash: eval "$(flocklore completion bash)"."""
    from click.shell_completion import get_completion_class

    from mesh.cli import flocklore

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"no completion for {shell}")
    click.echo(kind(flocklore, {}, "flocklore", "_FLOCKLORE_COMPLETE").source())
