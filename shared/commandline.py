"""What the commands of every package share: errors as exit codes, one JSON document, tables, facts."""

from __future__ import annotations

import asyncio
import gc
import sys
import traceback
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import click
import msgspec

from shared.errors import Exit, FlockloreError

T = TypeVar("T")

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


def run(command: click.Command, arguments: Sequence[str], program: str) -> int:
    """Run a command; errors become one line on standard error and an exit code."""
    try:
        code = command.main(list(arguments), prog_name=program, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except FlockloreError as error:
        return report(error, program)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has seen enough
        return Exit.OK
    except Exception:  # noqa: BLE001 - whatever it is, it is a bug and said to be one
        traceback.print_exc()
        click.echo(f"{program}: this is a bug, please report it with the lines above", err=True)
        return Exit.BUG
    return code if isinstance(code, int) else Exit.OK


def show(document: Any, lines: str, *, as_json: bool) -> None:
    """Print the document for programs, or the lines for people."""
    click.echo(msgspec.json.encode(document, enc_hook=str).decode() if as_json else lines)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay rows out: aligned on a terminal, else separated by tabs; what could steer a terminal is replaced."""
    texts = [tuple("" if cell is None else harmless(str(cell)) for cell in row) for row in rows]
    if sys.stdout.isatty():
        return _aligned(columns, texts)
    return "\n".join("\t".join(row) for row in (tuple(columns), *texts))


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


def report(error: FlockloreError, program: str = "flocklore") -> Exit:
    """Say what went wrong in one line on standard error, and return the exit code."""
    click.echo(f"{program}: {harmless(str(error))}", err=True)
    return error.exit_code


def run_command(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's asynchronous part; what it logs goes to standard error, from warnings on."""
    # Imported here: a command that only reads files, and `--help`, start without it.
    from shared import log  # noqa: PLC0415

    log.configure(level="warning")
    gc.freeze()  # what was imported stays: a collection would look at all of it, for 50 ms
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
    return harmless(str(value))


def harmless(text: str) -> str:
    """Replace whatever is not printable: control and format characters, line breaks, half characters."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    from rich.console import Console  # noqa: PLC0415 - only a terminal pays for it
    from rich.table import Table  # noqa: PLC0415 - same
    from rich.text import Text  # noqa: PLC0415 - same

    laid_out = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        laid_out.add_column(column, overflow="fold")
    for row in rows:
        laid_out.add_row(*map(Text, row))
    console = Console()
    with console.capture() as capture:
        console.print(laid_out)
    return capture.get().rstrip("\n")
