"""`flocklore instance`: run one, list those the hub knows, show one."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

import os
from typing import Any

import click

from shared.commandline import Commands, json_option, print_json, print_table, run_command


@click.group(cls=Commands)
def instance() -> None:
    """Run one instance, or look after the registered ones."""


@instance.command()
@click.option("--instance-id", metavar="NAME", help="Its name; by default made of the host's (INSTANCE_ID).")
@click.option("--workspace", multiple=True, type=click.Path(), help="A directory to study; may be given again.")
@click.option("--database-url", metavar="URL", help="A PostgreSQL 15+ instead of the embedded one (DATABASE_URL).")
@click.option("--nats-url", metavar="URL", help="One or several servers, comma-separated (NATS_URL).")
@click.option("--nats-credentials", type=click.Path(), help="A credentials file.")
@click.option("--tenant", help="Whose fleet it belongs to.")
@click.option("--state-dir", type=click.Path(), help="Where embedded servers keep their data.")
@click.option("--share-code-templates", type=click.Choice(["public", "all", "never"]), help="What may leave it.")
@click.option("--ready-file", type=click.Path(), help="Made when the daemon is ready.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--log-format", type=click.Choice(["auto", "console", "json"]))
@click.pass_context
def run(context: click.Context, /, *, workspace: tuple[str, ...], **flags: Any) -> None:
    """Run an instance in the foreground until Ctrl-C.

    What is not said here comes from the environment, then from flocklore.toml; see `flocklore config show`.
    """
    from instance.config import load
    from instance.daemon import main

    context.exit(main(load(flags | {"workspace": os.pathsep.join(workspace) or None}).settings))


@instance.command("list")
@json_option
def list_instances(*, as_json: bool) -> None:
    """List the instances centralcloud knows, asking it over NATS."""
    from instance.cli import fleet

    page = run_command(fleet.registered())
    if as_json:
        print_json(page)
        return
    print_table(
        ["instance", "status", "heartbeat", "host", "load", "confirmed", "observations", "quarantined"],
        [
            (
                row.instance_id,
                row.status,
                f"{row.seconds_since_heartbeat:.0f} s ago",
                row.hostname,
                row.load,
                f"{row.confirmed}/{row.head}",
                row.observations,
                row.quarantined,
            )
            for row in page.instances
        ],
        empty="centralcloud knows no instance yet.",
    )


@instance.command()
@click.argument("name", required=False)
@json_option
def show(*, name: str | None, as_json: bool) -> None:
    """Show what instance NAME is doing, from its own database."""
    from instance.cli import fleet

    status = run_command(fleet.status(name))
    if as_json:
        print_json(status)
    else:
        fleet.print_status(status)


@instance.command()
@click.argument("name", required=False)
@click.option("--rotate", is_flag=True, help="Sign with a new key from now on, which the old one vouches for.")
@json_option
def key(*, name: str | None, rotate: bool, as_json: bool) -> None:
    """Show the public key instance NAME signs with, from its own database."""
    from instance.cli.signing import key_of
    from shared.commandline import print_facts

    found = run_command(key_of(name, rotate=rotate))
    if as_json:
        print_json(found)
        return
    print_facts(
        [
            ("instance", found.instance_id),
            ("tenant", found.tenant),
            ("public key", found.public_key),
            ("keys before it", found.replaced),
        ]
    )
