"""`flocklore support-bundle`: one file for somebody who helps."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import click

from shared.commandline import json_option, print_json

if TYPE_CHECKING:
    from shared.config import Resolved, Settings


@click.command("support-bundle")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@json_option
def support_bundle(*, file: Path | None, as_json: bool) -> None:
    """Write settings, findings, the state of servers and databases, and the ends of logs into FILE, without secrets.

    Look through it before you hand it on: logs name directories and instances.
    """
    from mesh import bundle
    from mesh.composition import load_settings
    from shared import log

    log.configure(level="error")
    settings = load_settings(None)
    told = _told()
    target = file or Path(f"flocklore-support-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz")
    scrubber = bundle.Scrubber(_secrets(settings, *(resolved.settings for resolved in told.values())))
    written = bundle.write(target, dict(_parts(settings, told)), scrubber)
    if as_json:
        print_json({"written": str(target.absolute()), "parts": written})
    else:
        click.echo(f"wrote {target} ({', '.join(written)}); look through it before you hand it on")


def _parts(settings: Settings, told: dict[str, Resolved[Any]]) -> Iterator[tuple[str, Callable[[], str]]]:
    """Name what goes into the file, each with how it is had."""
    from mesh import bundle
    from mesh.composition import LOGS
    from mesh.databases import find_databases
    from mesh.doctor import examine
    from mesh.status import document, read_status
    from shared.embedded.paths import state_path
    from shared.errors import FlockloreError

    state = state_path(settings.state_dir)
    yield "about.json", bundle.about
    yield "settings.json", lambda: bundle.settings_document({name: one.shown() for name, one in told.items()})
    yield "doctor.json", lambda: bundle.findings_document(examine(settings, production=False))
    yield "status.json", lambda: bundle.as_document(document(read_status(state)))
    try:
        databases = find_databases(settings)
    except FlockloreError as error:
        reason = str(error)
        yield "databases.txt", lambda: reason
        databases = []
    for database in databases:
        yield f"databases/{database.name}.json", functools.partial(bundle.database_document, database)
    for path in sorted((state / LOGS).glob("*.log")):
        yield f"logs/{path.name}", functools.partial(bundle.end_of, path)


def _told() -> dict[str, Resolved[Any]]:
    import importlib

    from mesh.config_cli import LOADERS

    return {daemon: importlib.import_module(module).load() for daemon, module in LOADERS.items()}


def _secrets(*many: Settings) -> Iterator[str]:
    """The values of settings that are secret: tokens, and passwords in URLs."""
    import msgspec

    from shared.config import passwords

    for settings in many:
        for key, value in msgspec.structs.asdict(settings).items():
            if key.endswith("_token") and value:
                yield str(value)
            elif key.endswith("_tokens") and value:
                yield from map(str, value.values())
            elif key.endswith("_url") and value:
                yield from (form for password in passwords(str(value)) for form in {password, unquote(password)})
