"""`flocklore results`: record and import how work ended, say later whether it was right, and look at it."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from instance.cli.options import instance_option, limit_option
from instance.cli.recording import context_option, job_option, new_id, save, type_option, word
from instance.cli.results_summary import savings, summary
from shared.commandline import Commands, json_option, print_facts, print_json, print_table, run_command
from shared.errors import Exit, UsageError

if TYPE_CHECKING:
    from instance.recording.verdicts import Verdict
    from instance.store.result_listing import ResultRow

STATUSES: Final = ("success", "failed", "timeout", "cancelled", "unlabelled")
FORMATS: Final = ("auto", "claude", "codex", "junit", "jsonl", "csv")
VERDICTS: Final = ("accepted", "rejected")
RECORD_SOURCE: Final = "record"

_COUNT: Final = click.IntRange(0, 10**12)
_CENTS_MAX: Final = 10**9


def cents(value: str) -> Decimal:
    """Read an exact number of cents."""
    try:
        told = Decimal(value)
    except InvalidOperation:
        told = Decimal(-1)
    if not 0 <= told < _CENTS_MAX:
        raise click.BadParameter(f"{value!r} is not a number of cents")
    return told


@click.group(cls=Commands)
def results() -> None:
    """Record how work ended, what it cost and whether it was right."""


results.add_command(summary)
results.add_command(savings)


@results.command()
@type_option
@click.option("--status", type=click.Choice(STATUSES), help="unlabelled: nobody has said yet.")
@click.option("--model", "model_used", metavar="NAME", type=word)
@click.option("--cost-cents", type=cents, metavar="CENTS", help="Without it what the tokens cost by the list.")
@click.option("--tokens-input", "input_tokens", type=_COUNT, help="Without those of a cache.")
@click.option("--tokens-output", "output_tokens", type=_COUNT, help="Without those of reasoning.")
@click.option("--tokens-cache-read", "cache_read_tokens", type=_COUNT)
@click.option("--tokens-cache-write", "cache_write_tokens", type=_COUNT)
@click.option("--tokens-reasoning", "reasoning_tokens", type=_COUNT)
@click.option("--duration-ms", type=_COUNT)
@job_option
@click.option("--verifier", metavar="NAME", type=word, help="What judged it at once, such as tests; see --verdict.")
@click.option("--verdict", type=click.Choice(VERDICTS), help="What it said; then --status is what you know better.")
@click.option("--external-id", metavar="ID", type=word, help="What you call it: the same id is recorded once.")
@context_option
@instance_option
@json_option
def record(
    *,
    verifier: str | None,
    verdict: Any,
    external_id: str | None,
    context: tuple[tuple[str, str], ...],
    instance_id: str | None,
    as_json: bool,
    **told: Any,
) -> None:
    """Record one result, and with --verifier what that said of it.

    The commit and what the CI says of itself are added to its context. Without a database it waits in the state
    directory. A rejected attempt counts as failed, and an accepted one is right or wrong when somebody says so.
    """
    from instance.config import load
    from instance.recording import verdicts

    if (verifier is None) != (verdict is None) or (verdict is None and told["status"] is None):
        raise UsageError("say the --status of the result, or a --verifier and its --verdict")
    known = told["status"]
    fields = _told(told | {"external_id": external_id or new_id()}, verdict, dict(context))
    judged = [] if verifier is None else [verdicts.judgement(verifier, verdict, fields, known)]
    is_recorded = save(load({"instance_id": instance_id}).settings, fields, *judged)
    if as_json:
        print_json({"recorded": is_recorded, "source": RECORD_SOURCE, "external_id": fields["external_id"]})
    elif is_recorded:
        click.echo("recorded")


@results.command("import")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True)
@click.option("--prices", "own_prices", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Your own prices; they come before those known.")  # fmt: skip
@instance_option
@json_option
@click.pass_context
def import_files(
    ctx: click.Context,
    /,
    *,
    paths: tuple[Path, ...],
    form: str,
    own_prices: Path | None,
    instance_id: str | None,
    as_json: bool,
) -> None:
    """Import what agents, test runners and others wrote down: files, or everything below directories.

    Without a PATH: the transcripts of Claude Code and Codex that this user has. Only counts, times, models and ids
    are taken, no text. What was imported before is not imported again. Exits with 5 if some lines could not be read.
    """
    from instance.cli import recording_work

    done = run_command(recording_work.imported(instance_id, paths, form, own_prices))
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done.files} files, {done.results} results, {done.new} of them new")
        if done.delivered:
            click.echo(f"{done.delivered} results that were waiting were recorded")
    for unread in done.unread:
        named = "; ".join(unread.named[:5])
        click.echo(f"{unread.path}: {unread.lines} lines were not read: {named}", err=True)
    if done.unread:
        ctx.exit(Exit.DEGRADED)


@results.command()
@click.argument("ids", metavar="[ID]...", nargs=-1, type=click.IntRange(1, 2**63 - 1))
@click.option("--job", metavar="ID", help="Every result of this job.")
@click.option("--commit", metavar="SHA", help="Every result whose job made or judged this commit.")
@click.option("--type", "job_type", metavar="KIND", help="With --commit: only results of this kind.")
@click.option("--status", type=click.Choice(STATUSES), required=True, help="unlabelled: it is unknown after all.")
@click.option(
    "--by", "source", metavar="WHO", type=word, default="person", show_default=True, help="Who says so: ci, review ..."
)
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="When it was found out; now if not said.")
@instance_option
@json_option
def label(
    *,
    ids: tuple[int, ...],
    job: str | None,
    commit: str | None,
    job_type: str | None,
    status: Any,
    source: str,
    at: datetime | None,
    instance_id: str | None,
    as_json: bool,
) -> None:
    """Say whether results were right, when it is known, or correct what was said before.

    The latest word stands, by the time it was found out. Nothing else of a result ever changes. What is said of a job
    or a commit holds for results of it, too, that are recorded in the next 90 days.
    """
    from datetime import UTC

    from instance.cli import recording_work
    from instance.store.results import Label

    if sum((bool(ids), job is not None, commit is not None)) != 1:
        raise UsageError("say which results: either their ids, or --job, or --commit")
    if job_type is not None and commit is None:
        raise UsageError("--type is said with --commit")
    said = Label(status, source, at or datetime.now(UTC))
    chosen = recording_work.Chosen(ids, job, commit, job_type)
    done = run_command(recording_work.label(instance_id, chosen, said))
    if as_json:
        print_json(done)
    else:
        if not done.results:
            click.echo("no result is of that yet; what you said is kept for those to come")
            return
        later = "" if done.changed == done.results else "; of the others somebody has said it, or more, since"
        click.echo(f"{done.changed} of {done.results} results are now {status}{later}")


@results.command("list")
@click.option("--type", "job_type", metavar="KIND", help="Only of this kind.")
@click.option("--model", metavar="NAME", help="Only of this model.")
@click.option("--status", type=click.Choice(STATUSES), help="Only with this status.")
@click.option("--source", metavar="NAME", help="Only from there: claude-code, codex, junit, run ...")
@limit_option(50)
@instance_option
@json_option
def list_results(*, instance_id: str | None, as_json: bool, **filters: Any) -> None:
    """List results, those that ended last first."""
    from instance.cli import recording_work

    found = run_command(recording_work.listed(instance_id, **filters))
    if as_json:
        print_json(found)
        return
    print_table(
        ["id", "kind", "status", "model", "cents", "tokens", "seconds", "ended", "from"],
        [_line(row) for row in found],
        empty="No result yet; `flocklore results import` reads those of your agents.",
    )


@results.command()
@click.argument("number", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@instance_option
@json_option
def show(*, number: int, instance_id: str | None, as_json: bool) -> None:
    """Show one result, and every word on it."""
    import msgspec

    from instance.cli import recording_work

    found = run_command(recording_work.shown(instance_id, number))
    if as_json:
        print_json(found)
        return
    told = msgspec.structs.asdict(found.result)
    parts = {f"{part}: {name}": value for part in ("context", "insights") for name, value in told.pop(part).items()}
    print_facts([(name.replace("_", " "), value) for name, value in (told | parts).items() if value not in (None, "")])
    for said in found.labels:
        click.echo(f"label  {said.status}, said by {said.source} at {said.labelled_at:%Y-%m-%d %H:%M:%S%z}")


def _told(told: Mapping[str, Any], verdict: Verdict | None, context: Mapping[str, str]) -> dict[str, Any]:
    """Say what is recorded of an attempt, and where and when it was."""
    from datetime import UTC

    from instance.learning.prices import listed_cost_cents, prices
    from instance.recording.environment import here, is_committed
    from instance.recording.verdicts import attempt_status, judged_here

    now, known = datetime.now(UTC), here(os.environ, Path())
    fields = {name: value for name, value in told.items() if value is not None}
    fields |= {"source": RECORD_SOURCE, "completed_at": now}
    fields.setdefault("cost_cents", listed_cost_cents(prices(), fields, now.date()))
    if verdict is not None:
        known = judged_here(verdict, known, is_committed=is_committed(Path()))
        fields.setdefault("status", attempt_status(verdict))
    return fields | {"context": {**known, **context}}


def _line(row: ResultRow) -> tuple[Any, ...]:
    return (
        row.id,
        row.job_type,
        row.status,
        row.model_used,
        None if row.cost_cents is None else f"{row.cost_cents:.4f}",
        row.tokens_used,
        None if row.duration_ms is None else f"{row.duration_ms / 1000:.1f}",
        f"{row.completed_at:%Y-%m-%d %H:%M:%S}",
        row.source,
    )
