"""`flocklore workers`: the processes that share a database and run its jobs."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mesh.database_access import Queue, about_queue
from shared.commandline import Commands, print_facts, print_json, print_table

if TYPE_CHECKING:
    from shared.jobs.workers import Wish, WorkerRow


@click.group(cls=Commands)
def workers() -> None:
    """See the processes that run the jobs of a database, and have them pause or leave."""


@workers.command("list")
@about_queue
def list_workers(*, queue: Queue, as_json: bool) -> None:
    """List them with what they run and when they were last heard."""
    found = _all(queue)
    if as_json:
        print_json([_document(row) for row in found])
        return
    print_table(
        ["worker", "status", "heartbeat", "jobs", "role", "region", "host", "process", "version", "started"],
        [
            (
                row.name,
                row.status,
                f"{row.seconds_since_heartbeat:.0f} s ago",
                row.load,
                row.role,
                row.region or None,
                row.hostname,
                row.pid,
                row.version or None,
                f"{row.started_at:%Y-%m-%d %H:%M:%S}",
            )
            for row in found
        ],
        empty="No worker has used this database yet; `flocklore up` starts some.",
    )


@workers.command()
@click.argument("name")
@about_queue
def show(*, name: str, queue: Queue, as_json: bool) -> None:
    """Show everything known of worker NAME."""
    from shared.errors import NotFoundError

    found = {row.name: row for row in _all(queue)}
    if name not in found:
        raise NotFoundError(f"there is no worker {name}; there are: {', '.join(found) or 'none'}")
    if as_json:
        print_json(_document(found[name]))
    else:
        print_facts(_document(found[name]).items())


@workers.command()
@click.argument("name")
@about_queue
def pause(*, name: str, queue: Queue, as_json: bool) -> None:
    """Have worker NAME begin no more jobs; what it runs goes on."""
    _set(queue, name, "paused", as_json=as_json)


@workers.command()
@click.argument("name")
@about_queue
def resume(*, name: str, queue: Queue, as_json: bool) -> None:
    """Have worker NAME begin jobs again."""
    _set(queue, name, "online", as_json=as_json)


@workers.command()
@click.argument("name")
@about_queue
def drain(*, name: str, queue: Queue, as_json: bool) -> None:
    """Have worker NAME begin no more jobs before it is stopped; `list` shows when it runs none."""
    _set(queue, name, "draining", as_json=as_json)


def _all(queue: Queue) -> list[WorkerRow]:
    from shared.jobs.workers import list_workers as rows

    return queue.do(rows)


def _set(queue: Queue, name: str, status: Wish, *, as_json: bool) -> None:
    from shared.jobs.workers import set_status

    queue.do(lambda connection: set_status(connection, name, status))
    if as_json:
        print_json({"worker": name, "status": status})
    else:
        click.echo(f"{name} is {status}")


def _document(row: WorkerRow) -> dict[str, object]:
    """A row for programs, with the status it has by now."""
    from dataclasses import asdict

    return asdict(row) | {"status": row.status}
