"""`flocklore db move`: a database goes to another server."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from shared.commandline import json_option, print_facts, print_json, print_table

if TYPE_CHECKING:
    from shared.move.plan import Move, Plan
    from shared.move.run import Moved

_TO = "FLOCKLORE_MOVE_TO"
_EMPTY = "It has no tables."


@click.command()
@click.argument("database", required=False)
@click.option(
    "--to", required=True, envvar=_TO, show_envvar=True, metavar="URL", help="The other server, or `embedded`."
)
@click.option("--from", "origin", metavar="URL", help="Where it is, instead of DATABASE_URL or the embedded server.")
@click.option("--as", "name", metavar="NAME", help="What it is called there; by default as in the URL, or as here.")
@click.option("--restart", is_flag=True, help="Empty what an earlier run copied, and begin anew.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be done; write nothing.")
@json_option
@click.pass_context
def move(
    context: click.Context,
    *,
    database: str | None,
    to: str,
    origin: str | None,
    name: str | None,
    restart: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Copy DATABASE to another server, compare every row, and open it there; stop its daemon first.

    The source stays as it is. A move that was cut short, in whatever way, goes on when it is run again.
    """
    from msgspec import structs

    from mesh import moving

    if context.get_parameter_source("to") is ParameterSource.COMMANDLINE:
        moving.require_secret("--to", to, _TO)
    moving.require_secret("--from", origin, "DATABASE_URL")
    ends = structs.replace(moving.ends(database, origin, to, name, dry_run=dry_run), restart=restart)
    if dry_run:
        _rehearse(ends, as_json=as_json)
    else:
        _carry_out(ends, as_json=as_json)


def _rehearse(ends: Move, *, as_json: bool) -> None:
    from shared.move.run import rehearse

    plan, refusal = rehearse(ends)
    if as_json:
        print_json(plan)
    else:
        _show_plan(plan)
    if refusal:
        raise refusal


def _carry_out(ends: Move, *, as_json: bool) -> None:
    from msgspec import to_builtins

    from mesh.moving import what_is_left
    from shared.errors import PermanentError
    from shared.move.run import carry_out

    # Progress goes to standard error: the other is for the result alone.
    done = carry_out(ends, lambda line: click.echo(line, err=True))
    left = what_is_left(ends) if done.complete else []
    if as_json:
        print_json(to_builtins(done) | {"next": left})
    else:
        _show_moved(done, left)
    if not done.complete:
        raise PermanentError(
            f"{', '.join(done.differing)} did not arrive as they are; the new database stays closed to daemons. "
            "Run it again to copy them again"
        )


def _show_plan(plan: Plan) -> None:
    print_facts(
        [
            ("database", f"{plan.source.database}, {plan.kind} at schema {plan.schema}"),
            ("from", f"{plan.source.address} (PostgreSQL {plan.source.version})"),
            ("to", f"{plan.target.address} (PostgreSQL {plan.target.version})"),
            ("as", plan.target.database),
            ("to copy", f"{plan.rows} rows, {plan.size_bytes / 2**20:.1f} MB with indexes"),
            ("left out", ", ".join(plan.left_out) or "nothing"),
        ]
    )
    print_table(
        ["table", "rows", "size", "state"],
        [(one.table, one.rows, f"{one.size_bytes / 2**20:.1f} MB", one.state) for one in plan.tables],
        empty=_EMPTY,
    )
    print_table(
        ["check", "is", "found"], [(one.check, one.level, one.found) for one in plan.checks], empty="No checks."
    )
    for number, step in enumerate(plan.steps, start=1):
        click.echo(f"{number}. {step}")


def _show_moved(done: Moved, left: list[str]) -> None:
    print_table(
        ["table", "rows here", "rows there", "checksum here", "checksum there", "is"],
        [
            (one.table, one.rows, one.rows_target, one.checksum, one.checksum_target, "equal" if one.equal else "NOT")
            for one in done.tables
        ],
        empty=_EMPTY,
    )
    if done.complete:
        rows = sum(one.rows for one in done.tables)
        click.echo(f"moved {done.target.database}: {len(done.tables)} tables, {rows} rows, {done.seconds} s")
    for number, line in enumerate(left, start=1):
        click.echo(f"{number}. {line}")
