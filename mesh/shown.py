"""How the commands of the mesh show what they have to say to people."""

from __future__ import annotations

import contextlib
from typing import Any

import click

state_dir_option = click.option("--state-dir", help="Where the mesh keeps its data, instead of the usual place.")

_MINUTE = 60
_HOUR = 3600
_DAY = 86_400


def say(line: str, *, err: bool) -> None:
    """Print a line of progress; when nobody reads any more (the terminal was closed) that is no reason to stop."""
    with contextlib.suppress(OSError):
        click.echo(line, err=err)


def summary(document: dict[str, Any]) -> str:
    """Say where a running mesh is and how to go on."""
    width = max(len(part["name"]) for part in document["parts"])
    parts = [f"  {part['name']:<{width}}  {part['address'] or ''}".rstrip() for part in document["parts"]]
    return "\n".join(
        [
            f"all ready after {document['uptime_seconds']:g} s, as process {document['pid']}",
            *parts,
            f"  data in {document['state']}",
            f"dashboard {document['dashboard']} (`flocklore open`)",
            "`flocklore status` shows it, `flocklore logs -f` follows it, `flocklore down` stops it",
        ]
    )


def duration(seconds: float | None) -> str:
    """Write a duration for people: 12s, 3m 20s, 5h 1m, 2d 4h; empty for None."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE}m"
    return f"{whole // _DAY}d {whole % _DAY // _HOUR}h"
