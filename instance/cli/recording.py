"""`flocklore run`, and what commands that record one result share."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from instance.cli.options import instance_option
from instance.recording.words import CHARACTERS_MAX
from shared.errors import UsageError

if TYPE_CHECKING:
    from instance.config import InstanceSettings
    from instance.recording.command import Ran
    from instance.recording.verdicts import Verdict

RUN_SOURCE: Final = "run"


def pair(value: str) -> tuple[str, str]:
    """Read `name=value`; what could not be kept is refused."""
    name, equals, told = value.partition("=")
    if not (name and equals and told and value.isprintable() and len(value) <= CHARACTERS_MAX):
        raise click.BadParameter(f"{value!r} is not NAME=VALUE in at most {CHARACTERS_MAX} characters")
    return name, told


def word(value: str) -> str:
    """Read one line that is not long."""
    if not (value.isprintable() and 0 < len(value) <= CHARACTERS_MAX):
        raise click.BadParameter(f"{value!r} is not one line of at most {CHARACTERS_MAX} characters")
    return value


def type_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--type`, which every result has."""
    described = "What kind of work it is, such as tests or refactoring."
    return click.option("--type", "job_type", metavar="KIND", required=True, type=word, help=described)(command)


def context_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--context`, any number of them."""
    described = "What sets it apart, such as task=bugfix; may be given again."
    return click.option("--context", metavar="NAME=VALUE", type=pair, multiple=True, help=described)(command)


def job_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--job`, by which a label reaches everything that was recorded of it."""
    return click.option("--job", "job_id", metavar="ID", type=word, help="The job it is of.")(command)


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--type", "job_type", metavar="KIND", type=word,
              help="What kind of work it is, such as tests or refactoring.")  # fmt: skip
@click.option("--verifier", metavar="NAME", type=word,
              help="Instead: the command judges an attempt of --model, and its verdict is recorded.")  # fmt: skip
@click.option("--model", metavar="NAME", type=word, help="Which model did the work that the command runs or checks.")
@job_option
@context_option
@instance_option
@click.option("--later", is_flag=True, help="Leave it to the daemon or to the next `flocklore results` to record it.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    *,
    job_type: str | None,
    verifier: str | None,
    model: str | None,
    job_id: str | None,
    context: tuple[tuple[str, str], ...],
    instance_id: str | None,
    later: bool,
    command: tuple[str, ...],
) -> None:
    """Run a command and record how long it took and whether it succeeded, or what it said of somebody's work.

    The command has the terminal, gets every signal, and its exit code is this one's. Recorded are times, the exit
    code, the program's name, the commit and what the CI says of itself, not what the command is told or prints.
    Without a database the result waits in the state directory.
    """
    from instance.config import load
    from instance.recording import command as commands
    from instance.recording.environment import here, of_git
    from instance.recording.words import named

    if (job_type is None) == (verifier is None):
        raise UsageError("say either the --type of work or the --verifier that judges it")
    settings = load({"instance_id": instance_id}).settings
    before = of_git(Path()).get("commit")
    ran = commands.run(command)
    known = here(os.environ, Path())
    if before not in (None, known.get("commit")):
        known["base"] = str(before)
    known |= named(program=Path(command[0]).name)
    told = {"model_used": model, "job_id": job_id} | _fields(ran)
    if verifier is None:
        save(settings, told | {"job_type": job_type, "context": known | dict(context)}, later=later)
    elif ran.status != "cancelled":  # then it said nothing
        save(settings, told | _verdict(ran, verifier, known, dict(context)), later=later)
    ctx.exit(ran.exit_code)


def save(settings: InstanceSettings, *many: Mapping[str, Any], later: bool = False) -> bool:
    """Record results now, or keep them on the disk until they can be; returns whether the database has them.

    Never raises what the database may: what is recorded has happened already.
    """
    kept = [_keep(settings, fields) for fields in many]
    if later and all(kept):
        return False
    try:
        _record(settings, [fields for fields, path in zip(many, kept, strict=True) if path is None])
    except Exception as error:  # noqa: BLE001 - whatever it is, the work is done and its result is not to be lost
        for fields, path in zip(many, kept, strict=True):
            _say_where_it_is(fields, path, error)
        return False
    return True


def new_id() -> str:
    """What a result is called that nobody has given a name."""
    return secrets.token_hex(16)


def _keep(settings: InstanceSettings, fields: Mapping[str, Any]) -> Path | None:
    from instance.recording import spool
    from shared.embedded.paths import state_path

    try:
        return spool.put(state_path(settings.state_dir), settings.instance_id, fields)
    except OSError as error:
        click.echo(f"flocklore: cannot keep the result in the state directory ({error.strerror})", err=True)
        return None


def _verdict(ran: Ran, verifier: str, known: Mapping[str, str], context: Mapping[str, str]) -> dict[str, Any]:
    from instance.recording.environment import is_committed
    from instance.recording.verdicts import job_type_of, judged_here

    verdict: Verdict = "accepted" if ran.status == "success" else "rejected"
    judged = judged_here(verdict, known, is_committed=is_committed(Path()))
    return {"job_type": job_type_of(verifier, verdict), "status": "unlabelled", "context": {**judged, **context}}


def _fields(ran: Ran) -> dict[str, Any]:
    from datetime import timedelta

    return {
        "status": ran.status,
        "error": "" if ran.status == "success" else f"exit code {ran.exit_code}",
        "started_at": ran.started_at,
        "completed_at": ran.started_at + timedelta(milliseconds=ran.duration_ms),
        "duration_ms": ran.duration_ms,
        "source": RUN_SOURCE,
        "external_id": new_id(),
    }


def _record(settings: InstanceSettings, unkept: Sequence[Mapping[str, Any]]) -> None:
    from instance.cli import recording_work
    from shared.commandline import run_command

    run_command(recording_work.record(settings, unkept))


def _say_where_it_is(fields: Mapping[str, Any], kept: Path | None, error: Exception) -> None:
    if kept is not None:
        click.echo(f"flocklore: recorded later, it waits in {kept.parent}: {error}", err=True)
        return
    import msgspec

    told = msgspec.json.encode(fields).decode()
    click.echo(f"flocklore: not recorded: {error}; it was: {told}", err=True)
