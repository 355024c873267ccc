"""`flocklore jobs`: the queue of a database, what waits there, runs and went wrong."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from mesh.database_access import LISTED_MAX, Queue, about_queue
from mesh.queues_cli import list_queues, pause, rescale, resume
from shared.commandline import Commands, print_json
from shared.jobs.outcome import State

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_STATES: Final = get_args(State)
_PRUNED_AT_ONCE: Final = 10_000
_DAY_SECONDS: Final = 86_400
_DELAY_SECONDS_MAX: Final = 366 * _DAY_SECONDS
_KEPT_DAYS_MAX: Final = 36_500

_JOB_ID: Final = click.IntRange(1, 2**63 - 1)
_several = click.argument("ids", metavar="ID...", type=_JOB_ID, nargs=-1, required=True)


@click.group(cls=Commands)
def jobs() -> None:
    """Look after the jobs of an instance or of centralcloud, and the queues they wait in."""


for _command in (list_queues, pause, resume, rescale):
    jobs.add_command(_command)


@jobs.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="May be given again.")
@click.option("--queue", "queue_name", metavar="NAME", help="Only of this queue.")
@click.option("--kind", metavar="NAME", help="Only of this kind.")
@click.option("--tenant", help="Only of this tenant.")
@click.option("--before", metavar="ID", type=_JOB_ID, help="Only those older than this one.")
@click.option("--limit", type=click.IntRange(1, LISTED_MAX), default=50, show_default=True, help="At most so many.")
@about_queue
def list_jobs(
    *, states: tuple[State, ...], queue_name: str | None, limit: int, queue: Queue, as_json: bool, **filters: Any
) -> None:
    """List jobs, the newest first."""
    from mesh import jobs_shown
    from shared.jobs import listing

    found = queue.do(
        lambda connection: listing.list_jobs(
            connection, states=states or None, queue=queue_name, limit=limit, **filters
        )
    )
    if as_json:
        print_json(found)
        return
    jobs_shown.print_jobs(found)
    if len(found) == limit:
        click.echo(f"There may be more: --before {found[-1].id}", err=True)


@jobs.command()
@click.argument("number", metavar="ID", type=_JOB_ID)
@about_queue
def show(*, number: int, queue: Queue, as_json: bool) -> None:
    """Show one job, with every error in full."""
    from mesh import jobs_shown
    from shared.errors import NotFoundError
    from shared.jobs import listing

    found = queue.do(lambda connection: listing.get(connection, number))
    if found is None:
        raise NotFoundError(f"there is no job {number}; `flocklore jobs list` shows them (old ones are pruned)")
    if as_json:
        print_json(found)
    else:
        jobs_shown.print_job(found)


@jobs.command()
@click.argument("kind")
@click.option("--args", "arguments", metavar="JSON", default="{}", show_default=True, help="What the job is to do.")
@click.option("--queue", "queue_name", metavar="NAME", help="Instead of the queue of its kind.")
@click.option("--priority", type=click.IntRange(0, 9), default=0, show_default=True, help="0 is first.")
@click.option("--delay-seconds", type=click.IntRange(0, _DELAY_SECONDS_MAX), default=0, help="Not before that.")
@click.option("--unique-key", metavar="KEY", help="Not while an unfinished job of the kind has it.")
@click.option("--idempotency-key", metavar="KEY", help="Not if any job has it.")
@click.option("--attempts-max", type=click.IntRange(min=1), help="Instead of what its kind says.")
@click.option("--tenant", default="default", show_default=True)
@about_queue
def enqueue(*, kind: str, arguments: str, queue_name: str | None, queue: Queue, as_json: bool, **options: Any) -> None:
    """Enqueue a job of KIND.

    A kind, a queue or an argument that this release does not know is refused.
    """
    import msgspec

    from shared.errors import UsageError
    from shared.jobs.queue import Options
    from shared.jobs.queue import enqueue as put

    chosen = queue.kinds()[kind]
    try:
        args = msgspec.json.decode(arguments, type=chosen.args)
    except msgspec.DecodeError as error:
        raise UsageError(f"--args does not fit a job of kind {kind}: {error}") from error
    done = queue.do(lambda connection: put(connection, chosen, args, Options(queue=queue_name, **options)))
    if as_json:
        print_json(done)
    else:
        click.echo(f"job {done.id} {'is queued' if done.is_new else 'has that key already; nothing was queued'}")


@jobs.command()
@_several
@about_queue
def retry(*, ids: tuple[int, ...], queue: Queue, as_json: bool) -> None:
    """Run jobs again, at once.

    Those that failed, wait for another attempt, were cancelled, or are to be done once more.
    """
    from shared.jobs.queue import retry as again

    changed = _change(queue, ids, again)
    if as_json:
        print_json({"retried": changed})
    else:
        others = "the others run or wait already, or an unfinished job has their unique key"
        click.echo(_said("retried", changed, len(ids), others))


@jobs.command()
@_several
@about_queue
def cancel(*, ids: tuple[int, ...], queue: Queue, as_json: bool) -> None:
    """Cancel jobs, also those that run."""
    from shared.jobs.queue import cancel as give_up

    changed = _change(queue, ids, give_up)
    if as_json:
        print_json({"cancelled": changed})
    else:
        click.echo(_said("cancelled", changed, len(ids), "the others had ended"))


@jobs.command()
@click.option(
    "--kept-days", type=click.IntRange(0, _KEPT_DAYS_MAX), required=True, help="Of what finished, so much is kept."
)
@about_queue
def prune(*, kept_days: int, queue: Queue, as_json: bool) -> None:
    """Delete jobs that ended long ago.

    Completed, discarded and cancelled ones; what ended within --kept-days stays.
    """
    from shared.jobs.queue import prune as delete

    async def some(connection: AsyncConnection) -> int:
        return await delete(connection, kept_seconds=kept_days * _DAY_SECONDS, limit=_PRUNED_AT_ONCE)

    deleted = found = queue.do(some)
    while found == _PRUNED_AT_ONCE:
        found = queue.do(some)
        deleted += found
    if as_json:
        print_json({"deleted": deleted})
    else:
        click.echo(f"deleted {deleted} jobs")


def _change(
    queue: Queue, ids: tuple[int, ...], change: Callable[[AsyncConnection, tuple[int, ...]], Awaitable[int]]
) -> int:
    """Change the jobs if all of them are there; returns how many were changed."""
    from shared.errors import NotFoundError
    from shared.jobs import listing

    async def if_all_are_there(connection: AsyncConnection) -> int:
        missing = [str(number) for number in ids if await listing.get(connection, number) is None]
        if missing:
            raise NotFoundError(f"there is no job {', '.join(missing)}; nothing was changed")
        return await change(connection, ids)

    return queue.do(if_all_are_there)


def _said(done: str, changed: int, asked: int, others: str) -> str:
    return f"{done} {changed} of {asked}{'' if changed == asked else f': {others}'}"
