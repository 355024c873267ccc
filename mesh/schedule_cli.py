"""`flocklore schedule`: what runs when in an instance or in centralcloud, and having it run now or no more."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from mesh.database_access import Queue, about_queue
from shared.commandline import Commands, print_json, print_table
from shared.errors import Exit

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from shared.timetable import Row

_LOOK_SECONDS: Final = 0.2


@click.group(cls=Commands)
def schedule() -> None:
    """Look after the schedules of an instance or of centralcloud."""


@schedule.command("list")
@about_queue
def list_schedules(*, queue: Queue, as_json: bool) -> None:
    """List what runs when (seconds, or a line of cron in UTC), and how it went last."""
    found = _rows(queue)
    if as_json:
        print_json({"schedules": found})
        return
    print_table(
        ["schedule", "when", "enabled", "last run", "took", "next run", "last error", "by"],
        [
            (
                row.name,
                row.when,
                row.enabled,
                _shown(row.last_run),
                row.took,
                _shown(row.next_run),
                row.last_error,
                row.fired_by,
            )
            for row in found
        ],
        empty="Nothing has run here yet.",
    )


@schedule.command()
@click.argument("name")
@click.option("--wait", "wait_seconds", default=600.0, show_default=True, help="At most so many seconds for its end.")
@about_queue
def run(*, name: str, wait_seconds: float, queue: Queue, as_json: bool) -> Exit:
    """Have schedule NAME run now, and wait until it has; exit 1 when it failed.

    The daemon runs it. Without one it is kept until one starts, and nothing is waited for.
    """
    from mesh import timetable
    from shared import fires

    _known(queue, name)
    fire_at = queue.do(lambda connection: fires.ask(connection, name))
    if not queue.do(timetable.is_attended):
        _say(name, "kept", f"asked for {name}: no daemon runs on this database, so it runs when one starts", as_json)
        return Exit.OK
    deadline = time.monotonic() + wait_seconds
    while (ended := queue.do(lambda connection: fires.outcome(connection, name, fire_at))) is None:
        if time.monotonic() > deadline:
            _say(name, "running", f"{name} has not ended after {wait_seconds:g} s; it goes on", as_json)
            return Exit.TRY_AGAIN
        time.sleep(_LOOK_SECONDS)
    if ended.error is not None:
        _say(name, "failed", f"{name} failed: {ended.error}", as_json)
        return Exit.FAILED
    _say(name, "ok", f"{name} has run", as_json)
    return Exit.OK


@schedule.command()
@click.argument("name")
@about_queue
def enable(*, name: str, queue: Queue, as_json: bool) -> None:
    """Let schedule NAME run by itself again."""
    from shared import fires

    _known(queue, name)
    queue.do(lambda connection: fires.enable(connection, name))
    _say(name, "enabled", f"{name} runs by itself", as_json)


@schedule.command()
@click.argument("name")
@about_queue
def disable(*, name: str, queue: Queue, as_json: bool) -> None:
    """Have schedule NAME run only when it is asked for."""
    from shared import fires

    _known(queue, name)
    queue.do(lambda connection: fires.disable(connection, name))
    _say(name, "disabled", f"{name} runs only when asked for: `flocklore schedule run {name}`", as_json)


def _rows(queue: Queue) -> list[Row]:
    from mesh.timetable import configured
    from shared import fires
    from shared.timetable import rows

    times = configured(str(queue.found().kind))

    async def read(connection: AsyncConnection) -> list[Row]:
        return rows(times, await fires.shown(connection))

    return queue.do(read)


def _known(queue: Queue, name: str) -> None:
    from shared.errors import NotFoundError

    names = [row.name for row in _rows(queue)]
    if name not in names:
        raise NotFoundError(f"no schedule named {name}; there are {', '.join(names) or 'none'}")


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _say(name: str, state: str, sentence: str, as_json: bool) -> None:  # noqa: FBT001 - said by everybody here
    if as_json:
        print_json({"schedule": name, "state": state})
    else:
        click.echo(sentence)
