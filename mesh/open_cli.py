"""`flocklore open`."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Final

import click

from mesh.composition import load_settings
from mesh.shown import state_dir_option
from mesh.status import dashboard, read_status
from shared.commandline import json_option, show
from shared.embedded.paths import state_path
from shared.errors import NotRunningError

_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


@click.command("open")
@state_dir_option
@json_option
def open_dashboard(*, state_dir: str | None, as_json: bool) -> None:
    """Open the dashboard in a browser; where there is none its address is printed.

    Exit 3 when no mesh runs.
    """
    state = state_path(load_settings(state_dir).state_dir)
    status = read_status(state)
    url = dashboard(status) if status is not None else None
    if url is None:
        raise NotRunningError(f"no dashboard runs in {state}; start it with `flocklore up`")
    opened = not as_json and _has_display() and webbrowser.open(url)
    show({"url": url, "opened": opened}, f"{url} is open in a browser" if opened else url, as_json=as_json)


def _has_display() -> bool:
    """Without one a browser for terminals might be found, which would take this one over."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in _DISPLAYS)
