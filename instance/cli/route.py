"""`flocklore route`: which model to try on a task, and what to try when a verifier rejects it."""

# ruff: noqa: PLC0415 - what the command needs is imported when it runs

from __future__ import annotations

from typing import Any, Final

import click

from instance.cli.options import instance_option
from instance.cli.recording import context_option, word
from shared.commandline import json_option, print_json, run_command

_SHARE: Final = click.FloatRange(0, 1)


@click.command()
@click.argument("task", type=word)
@context_option
@click.option("--verifier", metavar="NAME", type=word,
              help="What judges an attempt at once; without one a plan is a single model.")  # fmt: skip
@click.option("--incumbent", metavar="MODEL[,MODEL]...", type=word, help="What you would use without advice.")
@click.option("--success-min", type=_SHARE, help="By default as the settings say: as good as the incumbent.")
@click.option("--latency-max", "latency_seconds_max", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
              help="In 95 of 100 cases it shall not take longer.")  # fmt: skip
@click.option("--pin", "pinned", metavar="MODEL[,MODEL]...", type=word, help="Always this, whatever is known.")
@click.option("--forbid", "forbidden", metavar="MODEL", type=word, multiple=True, help="Never this; may be repeated.")
@click.option("--explore", "exploration", type=_SHARE, help="Share of choices that may try something else.")
@instance_option
@json_option
def route(
    *,
    task: str,
    context: tuple[tuple[str, str], ...],
    verifier: str | None,
    instance_id: str | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Choose the model for a TASK, which is a kind of job as `flocklore results` has them.

    What is chosen is written down with how likely it was. Record the result with `--context route=ID`, the id that is
    shown here, and with `--context after=MODEL` what was tried after a verifier had rejected that model.
    """
    from instance.cli import routing

    advice = run_command(routing.advised(instance_id, task, dict(context), verifier, **asked))
    if as_json:
        print_json(advice)
    else:
        routing.print_advice(advice)
