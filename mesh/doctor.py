"""`flocklore doctor`: what is wrong here, and what to do about it."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from shared.commandline import json_option, print_json, print_table
from shared.errors import DegradedError, FlockloreError

if TYPE_CHECKING:
    from mesh.health.finding import Check, Finding
    from shared.config import Settings


@click.command()
@click.option("--strict", is_flag=True, help="Fail with 5 on warnings too.")
@click.option("--production", is_flag=True, help="Look also at what only matters when others rely on it.")
@json_option
def doctor(*, strict: bool, production: bool, as_json: bool) -> None:
    """Check this machine, NATS, the databases and the hub, each with what to do.

    Exit 0 when nothing is wrong, 1 on an error, 5 with --strict on a warning.
    """
    from mesh.composition import load_settings
    from shared import log

    log.configure(level="error")
    findings = examine(load_settings(None), production=production)
    levels = Counter(finding.level for finding in findings)
    if as_json:
        print_json({"ok": not levels["error"], "findings": findings})
    else:
        rows = [(found.level, found.check, found.detail, found.fix) for found in findings]
        print_table(["", "check", "found", "what to do"], rows, empty="")
    if levels["error"]:
        raise FlockloreError(f"{levels['error']} checks failed; what to do stands beside each")
    if strict and levels["warning"]:
        raise DegradedError(f"{levels['warning']} checks warn; what to do stands beside each")


def examine(settings: Settings, *, production: bool) -> list[Finding]:
    """Everything that was found."""
    from mesh.health import machine, nats, postgres
    from mesh.health import production as others_rely_on_it
    from mesh.health.finding import run_checks

    checks: list[tuple[str, Check]] = [
        ("python", machine.python),
        ("programs", lambda: machine.programs(settings)),
        ("state_directory", lambda: machine.state(settings)),
        ("socket_path", lambda: machine.socket_path(settings)),
        ("ports", lambda: machine.ports(settings)),
        ("nats", lambda: nats.server(settings)),
        ("database", lambda: postgres.databases(settings)),
        ("hub", lambda: nats.hub(settings)),
    ]
    if production:
        checks += [
            ("environment", lambda: others_rely_on_it.environment(settings)),
            ("secrets", lambda: others_rely_on_it.secrets(settings)),
            ("database_tls", lambda: others_rely_on_it.database(settings)),
            ("permissions", lambda: others_rely_on_it.bus(settings)),
        ]
    return list(run_checks(checks))
