"""What the commands of every package share: errors as exit codes, one JSON document, tables."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from shared.errors import Exit, FlockloreError

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
        click.echo(f"{program}: {error}", err=True)
        return error.exit_code
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
    """Lay rows out: aligned on a terminal, else separated by tabs."""
    texts = [tuple("" if cell is None else str(cell) for cell in row) for row in rows]
    if sys.stdout.isatty():
        return _aligned(columns, texts)
    return "\n".join("\t".join(row) for row in (tuple(columns), *texts))


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
