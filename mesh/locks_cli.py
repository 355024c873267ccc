"""`flocklore locks`: who holds what in the database of an instance or of centralcloud, and taking it away."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mesh.database_access import Queue, about_queue
from shared.commandline import Commands, print_json, print_table

if TYPE_CHECKING:
    from datetime import datetime

HISTORY_MAX = 1_000


@click.group(cls=Commands)
def locks() -> None:
    """See the locks of a database, who had them, and take one away."""


@locks.command("list")
@about_queue
def list_held(*, queue: Queue, as_json: bool) -> None:
    """List the locks that are held now, the longest held first."""
    from shared.locks import list_locks

    found = queue.do(list_locks)
    if as_json:
        print_json({"locks": found})
        return
    print_table(
        ["lock", "epoch", "process", "host", "since", "renewed", "expires in"],
        [
            (
                one.lock_name,
                one.epoch,
                one.pid,
                one.hostname,
                _shown(one.acquired_at),
                _shown(one.heartbeat_at),
                f"{one.remaining_seconds:.0f} s",
            )
            for one in found
        ],
        empty="No lock is held.",
    )


@locks.command()
@click.argument("name", required=False)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, HISTORY_MAX))
@about_queue
def history(*, name: str | None, limit: int, queue: Queue, as_json: bool) -> None:
    """List who held lock NAME, or any, newest first."""
    from shared.locks import history as past

    found = queue.do(lambda connection: past(connection, name, limit))
    if as_json:
        print_json({"grants": found})
        return
    print_table(
        ["lock", "epoch", "process", "host", "from", "to", "ended"],
        [
            (one.lock_name, one.epoch, one.pid, one.hostname, _shown(one.acquired_at), _shown(one.ended_at), one.ended)
            for one in found
        ],
        empty="No lock was ever held." if name is None else f"Nobody ever held {name}.",
    )


@locks.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also from a process that is alive: what it writes under it is refused.")
@about_queue
def release(*, name: str, force: bool, queue: Queue, as_json: bool) -> None:
    """Take lock NAME from a process that died, or with --force from any; exit 3 when it is alive."""
    from shared.locks import force_release

    taken = queue.do(lambda connection: force_release(connection, name, even_if_alive=force))
    if as_json:
        print_json({"released": taken})
    else:
        click.echo(f"{name} was taken from process {taken.pid} on {taken.hostname} (epoch {taken.epoch})")


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
