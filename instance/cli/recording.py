"""`flocklore run`, and what commands that record one result share."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from instance.cli.options import instance_option
from instance.recording.words import CHARACTERS_MAX

if TYPE_CHECKING:
    from instance.config import InstanceSettings
    from instance.recording.command import Ran

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


@click.command(context_settings={"allow_interspersed_args": False})
@type_option
@click.option("--model", metavar="NAME", type=word, help="Which model did the work that the command runs or checks.")
@context_option
@instance_option
@click.option("--later", is_flag=True, help="Leave it to the daemon or to the next `flocklore results` to record it.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    *,
    job_type: str,
    model: str | None,
    context: tuple[tuple[str, str], ...],
    instance_id: str | None,
    later: bool,
    command: tuple[str, ...],
) -> None:
    """Run a command and record how long it took and whether it succeeded.

    The command has the terminal, gets every signal, and its exit code is this one's. Recorded are times, the exit
    code, the program's name, the commit and what the CI says of itself, not what the command is told or prints.
    Without a database the result waits in the state directory.
    """
    from instance.config import load
    from instance.recording import command as commands
    from instance.recording.environment import here, of_git
    from instance.recording.words import named

    settings = load({"instance_id": instance_id}).settings
    before = of_git(Path()).get("commit")
    ran = commands.run(command)
    known = here(os.environ, Path())
    if before not in (None, known.get("commit")):
        known["base"] = str(before)
    known |= named(program=Path(command[0]).name) | dict(context)
    save(settings, _fields(ran) | {"job_type": job_type, "model_used": model, "context": known}, later=later)
    ctx.exit(ran.exit_code)


def save(settings: InstanceSettings, fields: Mapping[str, Any], *, later: bool = False) -> bool:
    """Record a result now, or keep it on the disk until it can be; returns whether the database has it.

    Never raises what the database may: what is recorded has happened already.
    """
    from instance.recording import spool
    from shared.embedded.paths import state_path

    kept: Path | None = None
    try:
        kept = spool.put(state_path(settings.state_dir), settings.instance_id, fields)
    except OSError as error:
        click.echo(f"flocklore: cannot keep the result in the state directory ({error.strerror})", err=True)
    if later and kept:
        return False
    try:
        _record(settings, fields if kept is None else None)
    except Exception as error:  # noqa: BLE001 - whatever it is, the work is done and its result is not to be lost
        _say_where_it_is(fields, kept, error)
        return False
    return True


def new_id() -> str:
    """What a result is called that nobody has given a name."""
    return secrets.token_hex(16)


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


def _record(settings: InstanceSettings, unkept: Mapping[str, Any] | None) -> None:
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
