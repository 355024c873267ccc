"""`flocklore db`: the schema of the databases, and copies of them."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from mesh.move_cli import move
from shared.commandline import Commands, json_option, print_facts, print_json, print_table

database_option = click.option("--database", metavar="NAME", help="Which database, where there are several.")
url_option = click.option("--database-url", metavar="URL", help="The server, instead of DATABASE_URL or the embedded.")


@click.group(cls=Commands)
def db() -> None:
    """Look after the databases of the instances and of centralcloud."""


db.add_command(move)


@db.command()
@url_option
@json_option
def status(*, database_url: str | None, as_json: bool) -> None:
    """Show each database: its schema, the schema this release needs, its size and its rows."""
    from mesh import database_work

    found = database_work.status(database_url)
    if as_json:
        print_json(found)
        return
    print_table(
        ["database", "is", "schema", "needed", "size", "rows"],
        [
            (one.name, one.kind, one.revision, one.needed, f"{one.size_bytes / 2**20:.1f} MB", sum(one.rows.values()))
            for one in found
        ],
        empty="There is no database of Flocklore on this server.",
    )


@db.command()
@database_option
@click.option("--kind", type=click.Choice(["instance", "centralcloud"]), help="What an empty database is for.")
@url_option
@json_option
def upgrade(*, database: str | None, kind: str | None, database_url: str | None, as_json: bool) -> None:
    """Bring one database, or all, to the schema this release needs; daemons do so when they start."""
    from mesh import database_work

    done = database_work.upgrade(database_url, database, kind)
    if as_json:
        print_json(done)
    else:
        print_table(
            ["database", "from", "to"],
            [(one.name, one.before, one.after) for one in done],
            empty="There is no database of Flocklore on this server.",
        )


@db.command()
@database_option
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="By default named after the database.")
@url_option
@json_option
def backup(*, database: str | None, output: Path | None, database_url: str | None, as_json: bool) -> None:
    """Copy a database into a file with pg_dump, and read the file back to its end.

    A verified backup of centralcloud tells the instances that they need not keep what it holds: keep the newest
    file, for what lies between an older one and that would be missing.
    """
    from mesh import database_work
    from shared.backup import back_up

    chosen = database_work.chosen(database_url, database)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    done = back_up(chosen, (output or Path(f"{chosen.name}-{moment}.dump")).absolute())
    if as_json:
        print_json(done)
        return
    print_facts(
        [
            ("database", done.database),
            ("file", done.file),
            ("size", f"{done.size_bytes / 2**20:.1f} MB, {done.tables} tables, read back to the end"),
            ("durable", f"what {done.watermarks} epochs of instances had sent"),
        ]
    )


@db.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--database", metavar="NAME", required=True, help="What the restored database is called.")
@url_option
@json_option
def restore(*, file: Path, database: str, database_url: str | None, as_json: bool) -> None:
    """Restore a backup FILE as a database; one of that name is kept under another. Stop its daemon first."""
    from mesh import database_work
    from shared.backup import restore as restore_file

    done = restore_file(database_work.server(database_url), file.absolute(), database_work.valid_name(database))
    if as_json:
        print_json(done)
        return
    kept = f", the one before is {done.previous}" if done.previous else ""
    click.echo(f"restored {done.database} with {sum(done.rows.values())} rows{kept}")
