"""`flocklore up` and `flocklore down`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from mesh.background import start_in_background
from mesh.composition import build, load_settings, only_one
from mesh.discovery import installed_workspaces
from mesh.plan import directory_workspaces
from mesh.profiles import PROFILES
from mesh.shown import say, state_dir_option, summary
from mesh.status import document, read_status
from mesh.supervisor import Supervisor
from shared.commandline import json_option, show
from shared.embedded.paths import state_directory, state_path
from shared.errors import Exit, NotRunningError

DOWN_SECONDS = 120.0
_POLL_SECONDS = 0.05


@click.command()
@click.argument("directories", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-d", "--detach", is_flag=True, help="Return when everything is ready, and leave it running.")
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="single",
    show_default=True,
    help="One of everything, or a NATS cluster of three and two hubs, of which any one may end.",
)
@state_dir_option
@json_option
def up(*, directories: tuple[Path, ...], detach: bool, profile: str, state_dir: str | None, as_json: bool) -> None:
    """Start NATS, PostgreSQL, centralcloud and one instance for each of DIRECTORIES.

    Without directories the instances study the Python standard library and the largest packages installed here.
    DATABASE_URL and NATS_URL name servers of yours to use instead.
    """
    settings = load_settings(state_dir)
    state = state_directory(settings.state_dir)
    # Progress is for people; with --json only the document goes to standard output.
    report = partial(say, err=as_json)
    if detach:
        started = document(start_in_background(state, directories, profile, report))
        show(started, summary(started), as_json=as_json)
        return
    workspaces = directory_workspaces(directories) or installed_workspaces()
    with only_one(state):
        supervisor = build(state, settings, workspaces, report, PROFILES[profile])
        asyncio.run(_run(supervisor, report, as_json=as_json))


@click.command()
@state_dir_option
@json_option
def down(*, state_dir: str | None, as_json: bool) -> None:
    """Stop what `up` started, and wait until it is gone."""
    state = state_path(load_settings(state_dir).state_dir)
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
    show({"stopped": True, "seconds": seconds}, f"stopped in {seconds} s", as_json=as_json)


async def _run(supervisor: Supervisor, report: Callable[[str], None], *, as_json: bool) -> None:
    """Run the mesh until a signal; a second one ends it at once."""
    stop = asyncio.Event()

    def stop_or_quit() -> None:
        if stop.is_set():
            supervisor.kill()
            os._exit(Exit.INTERRUPTED)
        stop.set()
        report("stopping; Ctrl-C again to stop at once")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop_or_quit)
    announcing = asyncio.create_task(_announce(supervisor, as_json=as_json))
    try:
        await supervisor.run(stop)
    finally:
        announcing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await announcing
    report("stopped")


async def _announce(supervisor: Supervisor, *, as_json: bool) -> None:
    await supervisor.all_ready.wait()
    with contextlib.suppress(OSError):  # as in `say`
        started = document(supervisor.status())
        show(started, summary(started), as_json=as_json)
