"""`flocklore jobs queues|pause|resume|rescale`: the queues of a database, changed while workers run."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mesh.database_access import Queue, about_queue
from shared.commandline import print_json, print_table

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_SHOWN = ("available", "scheduled", "retryable", "executing", "completed", "discarded", "cancelled")


@click.command("queues")
@about_queue
def list_queues(*, queue: Queue, as_json: bool) -> None:
    """List the queues with their jobs by state."""
    found = queue.do(_counted)
    if as_json:
        print_json(found)
        return
    print_table(
        ["queue", "at once per worker", "paused", *_SHOWN],
        [
            (one["name"], one["limit_per_worker"], one["paused"], *(one["jobs"].get(state, 0) for state in _SHOWN))
            for one in found
        ],
        empty="There is no queue.",
    )


@click.command()
@click.argument("name")
@about_queue
def pause(*, name: str, queue: Queue, as_json: bool) -> None:
    """Begin no more jobs of queue NAME.

    On any worker; what runs goes on.
    """
    from shared.jobs.queues import pause_queue

    queue.do(lambda connection: pause_queue(connection, name))
    _say(name, {"paused": True}, f"queue {name} is paused", as_json=as_json)


@click.command()
@click.argument("name")
@about_queue
def resume(*, name: str, queue: Queue, as_json: bool) -> None:
    """Begin jobs of queue NAME again."""
    from shared.jobs.queues import resume_queue

    queue.do(lambda connection: resume_queue(connection, name))
    _say(name, {"paused": False}, f"queue {name} goes on", as_json=as_json)


@click.command()
@click.argument("name")
@click.argument("limit", type=int)
@about_queue
def rescale(*, name: str, limit: int, queue: Queue, as_json: bool) -> None:
    """Let each worker do LIMIT jobs of queue NAME at once."""
    from shared.jobs.queues import rescale_queue

    queue.do(lambda connection: rescale_queue(connection, name, limit))
    _say(
        name,
        {"limit_per_worker": limit},
        f"each worker does up to {limit} jobs of queue {name} at once",
        as_json=as_json,
    )


async def _counted(connection: AsyncConnection) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from shared.jobs.listing import counts
    from shared.jobs.queues import queues

    jobs = await counts(connection)
    return [asdict(one) | {"jobs": jobs.get(one.name, {})} for one in await queues(connection)]


def _say(name: str, change: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"queue": name} | change)
    else:
        click.echo(sentence)
