"""`flocklore provision`: what a deployment keeps secret, made once and handed out part by part."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from pathlib import Path

import click

from schemas.names import DEFAULT_TENANT
from shared.commandline import json_option, print_facts, print_json


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--instance", "instances", multiple=True, metavar="NAME", help="An instance there is to be; repeatable.")
@click.option("--nats-host", "hosts", multiple=True, metavar="NAME", help="A server of NATS; several are a cluster.")
@click.option("--host-name", "names", multiple=True, metavar="NAME", help="What else is in the certificate of NATS.")
@click.option(
    "--postgres",
    default="postgresql://postgres",
    show_default=True,
    metavar="URL",
    help="The server of PostgreSQL as daemons reach it, without a user.",
)
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose fleet it is.")
@json_option
def provision(
    *,
    directory: Path,
    instances: tuple[str, ...],
    hosts: tuple[str, ...],
    names: tuple[str, ...],
    postgres: str,
    tenant: str,
    as_json: bool,
) -> None:
    """Make the secrets of a deployment in DIRECTORY, and hand each part its own in a directory below.

    NATS identities with a certificate, passwords of databases, tokens. What is there stays: run again it adds what is
    missing, renews a certificate that ends within 30 days, and writes what it hands out anew.
    """
    from mesh.provision.making import Deployment, provide

    place = directory.absolute()
    done = provide(place, Deployment(instances, hosts, postgres, tenant, names))
    if as_json:
        print_json({**done._asdict(), "directory": str(place), "directories": [str(path) for path in done.directories]})
        return
    handed = [("handed out", path) for path in done.directories]
    signed = [("certificate", "signed")] if done.certified else []
    print_facts([("directory", place), *(("admitted", label) for label in done.admitted), *signed, *handed])
