"""`flocklore nats`: a server of your own whose clients are told apart, and what each of them may do."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that the others start without it

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from schemas.names import DEFAULT_TENANT
from shared.commandline import Commands, json_option, print_facts, print_json, print_table
from shared.errors import FlockloreError, UsageError

if TYPE_CHECKING:
    from mesh.identities.office import Done

_KINDS = ["instance", "read_only", "observer"]

directory_option = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the identities are; by default `identities` in the state directory.",
)
tenant_option = click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose fleet it belongs to.")


def about_somebody(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command be about one identity."""
    for option in (json_option, directory_option, tenant_option, click.argument("name")):
        command = option(command)
    return command


@click.group(cls=Commands)
def nats() -> None:
    """Make a NATS server that knows its clients, and look after who they are."""


@nats.command()
@directory_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address the server listens on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=4222, show_default=True)
@click.option("--tls", is_flag=True, help="Encrypt; makes an authority and a certificate for the server.")
@click.option("--mutual-tls", is_flag=True, help="The same, and clients must show a certificate, too.")
@click.option("--host-name", "names", multiple=True, metavar="NAME", help="What the certificate is for; repeatable.")
@click.option("--operator", is_flag=True, help="Sign for users instead of listing them: many of them, many tenants.")
@tenant_option
@json_option
def init(
    *,
    directory: Path | None,
    host: str,
    port: int,
    tls: bool,
    mutual_tls: bool,
    names: tuple[str, ...],
    operator: bool,
    tenant: str,
    as_json: bool,
) -> None:
    """Make the configuration of a server, and the credentials of centralcloud.

    Nothing is written over. The directory holds secrets: keep it, with a backup, on one machine.
    """
    from mesh.identities.office import found
    from mesh.identities.registry import Server

    if names and not (tls or mutual_tls):
        raise UsageError("--host-name is for a certificate: say --tls as well")
    place = _place(directory)
    encrypts = tls or mutual_tls
    server = Server(host, port, _names(host, names) if encrypts else (), tls=encrypts, mutual=mutual_tls)
    done = found(place, server, with_operator=operator, tenant=tenant)
    _show(done, as_json=as_json, directory=str(place), url=server.url)


@nats.command("add-instance")
@about_somebody
@click.option("--kind", type=click.Choice(_KINDS), default="instance", show_default=True, help="What it may do.")
@click.option("--region-delegate", is_flag=True, help="An instance that also tells this region what others know.")
def add_instance(
    *, name: str, tenant: str, kind: Any, region_delegate: bool, directory: Path | None, as_json: bool
) -> None:
    """Admit NAME, and write its credentials.

    An instance speaks for itself alone. A read_only one takes insights and asks questions. An observer hears what is
    said to all, and may ask after health.
    """
    from mesh.identities.office import Office
    from mesh.identities.permissions import identity

    if region_delegate and kind != "instance":
        raise UsageError("a region's delegate is an instance: leave --kind out")
    one = identity(tenant, name, "delegate" if region_delegate else kind)
    _show(Office(_place(directory)).add(one), as_json=as_json, identity=one.label)


@nats.command()
@about_somebody
def revoke(*, name: str, tenant: str, directory: Path | None, as_json: bool) -> None:
    """Take NAME away: the server ends its connections and lets it in no more."""
    from mesh.identities.office import Office

    _show(Office(_place(directory)).revoke(tenant, name), as_json=as_json, revoked=f"{tenant}.{name}")


@nats.command()
@about_somebody
def rotate(*, name: str, tenant: str, directory: Path | None, as_json: bool) -> None:
    """Give NAME another key; the one before is worthless at once. Centralcloud is `hub` of tenant `centralcloud`."""
    from mesh.identities.office import Office

    _show(Office(_place(directory)).rotate(tenant, name), as_json=as_json, identity=f"{tenant}.{name}")


@nats.command()
@directory_option
@json_option
def refresh(*, directory: Path | None, as_json: bool) -> None:
    """Write what the server reads as this release knows the subjects; after an upgrade, before the daemons start."""
    from mesh.identities.office import Office

    _show(Office(_place(directory)).refresh(), as_json=as_json)


@nats.command("list")
@directory_option
@json_option
def list_identities(*, directory: Path | None, as_json: bool) -> None:
    """List who is admitted; keys are the public ones."""
    from mesh.identities.office import Office

    members = Office(_place(directory)).registry.members
    if as_json:
        print_json(members)
        return
    print_table(
        ["tenant", "name", "kind", "since", "key"],
        [(one.tenant, one.name, one.kind, f"{one.since:%Y-%m-%d %H:%M:%S}", one.public_key) for one in members],
        empty="Nobody.",
    )


@nats.command()
@directory_option
@json_option
def check(*, directory: Path | None, as_json: bool) -> None:
    """Look whether the files are secret, consistent, and what nats-server accepts. Exit 1 when they are not."""
    from mesh.identities.inspection import inspect
    from mesh.identities.office import Office

    findings = list(inspect(Office(_place(directory))))
    wrong = sum(finding.level == "error" for finding in findings)
    if as_json:
        print_json({"ok": not wrong, "findings": findings})
    else:
        rows = [(found.level, found.check, found.detail, found.fix) for found in findings]
        print_table(["", "check", "found", "what to do"], rows, empty="")
    if wrong:
        raise FlockloreError(f"{wrong} checks failed; what to do stands beside each")


def _place(directory: Path | None) -> Path:
    from mesh.composition import load_settings
    from shared.embedded.paths import state_path

    return (directory or state_path(load_settings(None).state_dir) / "identities").absolute()


def _names(host: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """What the server is reached by: what was said, and always from its own machine."""
    own = () if host in {"0.0.0.0", "::"} else (host,)  # noqa: S104 - what is asked, not what is bound
    return tuple(dict.fromkeys((*names, *own, "localhost", "127.0.0.1")))


def _show(done: Done, *, as_json: bool, **facts: str) -> None:
    if as_json:
        print_json({**facts, "files": [str(path) for path in done.files], "server": done.server})
        return
    print_facts([*facts.items(), *(("secret", path) for path in done.files), ("server", done.server)])
