"""`flocklore status` and `flocklore logs`."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from typing import Any

import click

from mesh.composition import LOGS, load_settings
from mesh.follow import LogLine, LogReader, follow
from mesh.shown import duration, state_dir_option
from mesh.status import document, read_status
from shared.commandline import json_option, show, table
from shared.embedded.paths import state_path
from shared.errors import Exit, NotFoundError


@click.command()
@click.option("-w", "--watch", "watching", is_flag=True, help="Show who learns what as it happens, until Ctrl-C.")
@state_dir_option
@json_option
def status(*, watching: bool, state_dir: str | None, as_json: bool) -> Exit:
    """Show what runs and where; exit 3 when nothing does, 5 when a part is not ready."""
    state = _state(state_dir)
    found = document(read_status(state))
    if watching and found["running"]:
        from mesh.watch import watch  # noqa: PLC0415 - it lays out, and only a terminal pays for that

        watch(found["dashboard"], load_settings(state_dir), as_json=as_json)
    show(found, _lines(found, state), as_json=as_json)
    if not found["running"]:
        return Exit.RUNNING
    return Exit.OK if found["ready"] else Exit.DEGRADED


@click.command()
@click.argument("names", nargs=-1)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on with what is written from now on.")
@click.option("-n", "--lines", default=20, show_default=True, type=click.IntRange(min=0), help="Last lines of each.")
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document per line.")
def logs(*, names: tuple[str, ...], following: bool, lines: int, state_dir: str | None, as_json: bool) -> None:
    """Show the logs of the parts NAMES, or of all; also of a mesh that runs no more."""
    files = _log_files(_state(state_dir) / LOGS, names)
    width = max(map(len, files)) if len(files) > 1 else 0
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(LogReader(name, path))) for name, path in files.items()]
        last = (line for reader in readers for line in reader.last_lines(lines))
        for line in chain(last, follow(readers) if following else ()):
            _print(line, width, as_json=as_json)


def _state(state_dir: str | None) -> Path:
    return state_path(load_settings(state_dir).state_dir)


def _log_files(directory: Path, names: tuple[str, ...]) -> dict[str, Path]:
    present = {path.stem: path for path in sorted(directory.glob("*.log"))}
    if not present:
        raise NotFoundError(f"there are no logs in {directory}; start the mesh with `flocklore up`")
    for name in names:
        if name not in present:
            raise NotFoundError(f"there is no part {name!r} with a log; choose of {', '.join(present)}")
    return {name: present[name] for name in names or present}


def _print(line: LogLine, width: int, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"part": line.part, "line": line.text}))
    else:
        click.echo(f"{line.part:<{width}} | {line.text}" if width else line.text)


def _lines(found: dict[str, Any], state: Path) -> str:
    if not found["running"]:
        return f"nothing runs in {state}; start it with `flocklore up`"
    heading = f"process {found['pid']}, up {duration(found['uptime_seconds'])}, data in {found['state']}"
    rows = [
        (
            part["name"],
            "ready" if part["ready"] else "starting" if part["pid"] else "down",
            part["pid"],
            duration(part["uptime_seconds"]),
            f"{part['restarts']} ({part['last_end']})" if part["last_end"] else part["restarts"],
            part["address"],
        )
        for part in found["parts"]
    ]
    return f"{heading}\n{table(('part', 'state', 'pid', 'uptime', 'restarts', 'where'), rows)}"
