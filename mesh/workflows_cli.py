"""`flocklore workflows`: runs of workflows, the steps and tasks of each."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from mesh.database_access import LISTED_MAX, Queue, about_queue
from shared.commandline import Commands, print_facts, print_json, print_table

if TYPE_CHECKING:
    from shared.workflows.runs import Run

_STATUSES = ["started", "completed", "failed", "cancelled"]


@click.group(cls=Commands)
def workflows() -> None:
    """See the runs of workflows, and cancel one."""


@workflows.command("list")
@click.option("--workflow", metavar="NAME", help="Only of this workflow.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only with this status.")
@click.option("--tenant", help="Only of this tenant.")
@click.option("--limit", type=click.IntRange(1, LISTED_MAX), default=50, show_default=True, help="At most so many.")
@about_queue
def list_runs(*, queue: Queue, as_json: bool, **filters: Any) -> None:
    """List runs, the newest first."""
    from shared.workflows import runs

    found = queue.do(lambda connection: runs.list_runs(connection, **filters))
    if as_json:
        print_json(found)
        return
    print_table(
        ["run", "workflow", "status", "started", "took", "error"],
        [
            (run.id, run.workflow, run.status, f"{run.started_at:%Y-%m-%d %H:%M:%S}", _took(run), run.error)
            for run in found
        ],
        empty="No such run.",
    )


@workflows.command()
@click.argument("run", type=click.UUID)
@about_queue
def show(*, run: UUID, queue: Queue, as_json: bool) -> None:
    """Show RUN with its steps."""
    from shared.errors import NotFoundError
    from shared.workflows import runs

    found = queue.do(lambda connection: runs.get(connection, run))
    if found is None:
        raise NotFoundError(f"there is no run {run}; `flocklore workflows list` shows them")
    if as_json:
        print_json(found)
    else:
        _print_run(found)


@workflows.command()
@click.argument("run", type=click.UUID)
@about_queue
def cancel(*, run: UUID, queue: Queue, as_json: bool) -> None:
    """Cancel RUN with its tasks, also those at work."""
    from shared.workflows import runs

    cancelled = queue.do(lambda connection: runs.cancel(connection, run))
    if as_json:
        print_json({"run": run, "cancelled": cancelled})
    else:
        click.echo(f"cancelled {run}" if cancelled else f"{run} had ended already")


def _print_run(run: Run) -> None:
    from msgspec import json

    print_facts(
        [
            ("run", run.id),
            ("workflow", run.workflow),
            ("tenant", run.tenant),
            ("status", run.status),
            ("started", run.started_at),
            ("ended", run.ended_at),
            ("idempotency key", run.idempotency_key),
            ("input", json.encode(run.input).decode()),
            ("output", None if run.output is None else json.encode(run.output).decode()),
            ("error", run.error),
        ]
    )
    click.echo()
    print_table(
        ["step", "status", "queued", "started", "completed", "failed", "cancelled", "attempts"],
        [
            (
                step.step,
                step.status,
                step.queued,
                step.started,
                step.completed,
                step.failed,
                step.cancelled,
                step.attempts,
            )
            for step in run.steps
        ],
        empty="It has no steps.",
    )


def _took(run: Run) -> str | None:
    return None if run.ended_at is None else f"{(run.ended_at - run.started_at).total_seconds():.1f} s"
