"""`flocklore up` and `flocklore down`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import msgspec

from mesh.background import start_in_background
from mesh.composition import build, load_settings, only_one
from mesh.discovery import installed_workspaces
from mesh.plan import Workspace, directory_workspaces
from mesh.status import MeshStatus, read_status
from mesh.supervisor import Supervisor
from shared.config import Settings
from shared.embedded.paths import state_directory
from shared.errors import Exit, NotRunningError

DOWN_SECONDS = 90.0
_POLL_SECONDS = 0.05

state_dir_option = click.option("--state-dir", help="Where the mesh keeps its data, instead of the usual place.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


@click.command()
@click.argument("directories", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-d", "--detach", is_flag=True, help="Return when everything is ready, and leave it running.")
@state_dir_option
@json_option
def up(*, directories: tuple[Path, ...], detach: bool, state_dir: str | None, as_json: bool) -> None:
    """Start NATS, PostgreSQL, centralcloud and one instance for each of DIRECTORIES.

    Without directories the instances study the Python standard library and the largest packages installed here.
    DATABASE_URL and NATS_URL name servers of yours to use instead.
    """
    settings = load_settings(state_dir)
    state = state_directory(settings.state_dir)
    if detach:
        start_in_background(state, directories, _reporter(as_json=as_json))
        _show(read_status(state), as_json=as_json)
        return
    workspaces = directory_workspaces(directories) or installed_workspaces()
    with only_one(state):
        asyncio.run(_up(state, settings, workspaces, as_json=as_json))


@click.command()
@state_dir_option
@json_option
def down(*, state_dir: str | None, as_json: bool) -> None:
    """Stop what `up` started, and wait until it is gone."""
    state = state_directory(load_settings(state_dir).state_dir)
    status = read_status(state)
    if status is None:
        raise NotRunningError(f"nothing runs in {state}; start it with `flocklore up`")
    began = time.monotonic()
    status.supervisor.signal(signal.SIGTERM)
    while status.supervisor.alive():
        if time.monotonic() - began > DOWN_SECONDS:
            # Its children die with it.
            status.supervisor.signal(signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
    seconds = round(time.monotonic() - began, 1)
    click.echo(json.dumps({"stopped": True, "seconds": seconds}) if as_json else f"stopped in {seconds} s")
