"""`flocklore ask`: what is known about a question, found without a language model."""

# ruff: noqa: PLC0415 - what the command needs is imported when it runs

from __future__ import annotations

import click

from instance.cli.options import instance_option, limit_option
from shared.commandline import json_option, print_json, run_command


@click.command()
@click.argument("question", nargs=-1, required=True)
@instance_option
@limit_option(5)
@json_option
def ask(*, question: tuple[str, ...], instance_id: str | None, limit: int, as_json: bool) -> None:
    """Show code, patterns and insights that speak to QUESTION, the best first. Nothing leaves the machine."""
    from instance.cli import asking

    found = run_command(asking.answered(instance_id, " ".join(question), limit))
    if as_json:
        print_json(found)
    else:
        asking.print_answer(found)
