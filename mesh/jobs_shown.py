"""How jobs are shown to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from shared.commandline import print_facts, print_table, printable
from shared.jobs.listing import JobRow


def print_jobs(jobs: Sequence[JobRow]) -> None:
    """Print a line for each."""
    print_table(
        ["job", "state", "kind", "queue", "attempt", "since", "worker", "progress", "last error"],
        [
            (
                job.id,
                job.state,
                job.kind,
                job.queue,
                f"{job.attempt}/{job.attempts_max}",
                _moment(job.finished_at or (job.attempted_at if job.state == "executing" else job.scheduled_at)),
                job.worker,
                _progress(job),
                _in_short(job.errors[-1]) if job.errors else None,
            )
            for job in jobs
        ],
        empty="No such job.",
    )


def print_job(job: JobRow) -> None:
    """Print all that is known of one."""
    print_facts(
        [
            ("job", job.id),
            ("kind", job.kind),
            ("state", job.state),
            ("queue", f"{job.queue}, priority {job.priority}"),
            ("tenant", job.tenant),
            ("attempt", f"{job.attempt} of {job.attempts_max}"),
            ("worker", job.worker),
            ("progress", _progress(job)),
            ("queued", _moment(job.inserted_at)),
            ("due", _moment(job.scheduled_at)),
            ("begun", _moment(job.attempted_at)),
            ("ended", _moment(job.finished_at)),
            ("unique key", job.unique_key),
            ("idempotency key", job.idempotency_key),
            ("tags", ", ".join(job.tags) or None),
            ("meta", _json(job.meta)),
            ("arguments", _json(job.args)),
            ("result", None if job.result is None else _json(job.result)),
        ]
    )
    for error in job.errors:
        click.echo(f"\nattempt {error.get('attempt')}, {error.get('at')}: {_in_short(error)}")
        for line in str(error.get("traceback", "")).splitlines():
            click.echo(f"  {printable(line)}".rstrip())


def _progress(job: JobRow) -> str | None:
    told = job.meta.get("progress")
    if not isinstance(told, dict):
        return None
    return f"{told.get('done')} of {told.get('total')} {told.get('note', '')}".rstrip()


def _in_short(error: dict[str, Any]) -> str:
    """What went wrong, on one line."""
    return printable(f"{error.get('type', 'error')}: {error.get('error', '')}".partition("\n")[0])


def _moment(at: Any) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
