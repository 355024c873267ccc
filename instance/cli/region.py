"""`flocklore region`: what the delegate of a region brings up and down, and what it holds back and why."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

import click

from instance.cli.options import instance_option
from shared.commandline import json_option, print_json, run_command


@click.command()
@instance_option
@json_option
def region(*, instance_id: str | None, as_json: bool) -> None:
    """Show what the delegate of a region brings up and down, from its own database."""
    from instance.cli import delegate

    status = run_command(delegate.status(instance_id))
    if as_json:
        print_json(status)
    else:
        delegate.print_status(status)
