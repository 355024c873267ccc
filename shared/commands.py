"""What commands have in common beside `shared.commandline`: asynchronous work, and printing what others wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import click
import msgspec

from shared.commandline import table
from shared.errors import Exit, FlockloreError

T = TypeVar("T")


class Commands(click.Group):
    """A group that may also be a program of its own: what a person can act on is one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Do as click does; without a root above it, turn our errors into exit codes."""
        try:
            return super().invoke(ctx)
        except FlockloreError as error:
            if ctx.parent is not None:
                raise
            ctx.exit(report(error))


def report(error: FlockloreError) -> Exit:
    """Say what went wrong in one line on standard error, and return the exit code."""
    click.echo(f"flocklore: {error}", err=True)
    return error.exit_code


def run_command(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's asynchronous part; what it logs goes to standard error, from warnings on."""
    # Imported here: a command that only reads files, and `--help`, start without it.
    from shared import log  # noqa: PLC0415

    log.configure(level="warning")
    return asyncio.run(work)


def print_json(value: Any) -> None:
    """Print one JSON document on one line."""
    click.echo(msgspec.json.encode(value).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print rows under their columns, or `empty` when there are none."""
    cells = [[printable(value) for value in row] for row in rows]
    click.echo(table(columns, cells) if cells else empty)


def print_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Print one `name  value` a line."""
    shown = [(name, printable(value)) for name, value in facts]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name:<{width}}  {value}".rstrip())


def printable(value: Any) -> str:
    """Show a value on one line; what could steer a terminal is replaced, for much of it was written elsewhere."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(value))
