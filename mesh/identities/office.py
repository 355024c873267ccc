"""A directory of identities, and every change of it: one at a time, on disk before the server is told."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from mesh.identities import certificates, registry
from mesh.identities.authority import PLACE, Authority, KeyAuthority
from mesh.identities.configuration import AUTHORIZATION_FILE, server_configuration
from mesh.identities.files import alone, make_private, write_private
from mesh.identities.operator import OperatorAuthority
from mesh.identities.permissions import Identity
from mesh.identities.registry import Registry, Server
from schemas.names import DEFAULT_TENANT
from shared.errors import NotFoundError

REGISTRY_FILE: Final = "registry.json"
_LOCK: Final = "lock"


class Done(NamedTuple):
    """A change: files with secrets that were written, and what the server was told, or is to be."""

    files: tuple[Path, ...]
    server: str


class Office:
    """The identities below `directory`; NotFoundError when none were ever made there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self._authority: Authority = _authority(self.directory, self.registry)

    @property
    def registry(self) -> Registry:
        """Everybody there is now."""
        return _read(self.directory)

    def add(self, *newcomers: Identity) -> Done:
        """Admit some, and the centralclouds of their tenants that are missing; UsageError when a name is taken."""
        with alone(self.directory / _LOCK):
            known = self.registry
            hubs = dict.fromkeys(self._authority.hub_of(one.tenant) for one in newcomers)
            return self._admit(known, [*newcomers, *(hub for hub in hubs if not _is_in(known, hub))])

    def hub_of(self, tenant: str) -> Identity:
        """The centralcloud that serves a tenant, admitted or not."""
        return self._authority.hub_of(tenant)

    def add_hub(self, tenant: str) -> Done:
        """Admit the centralcloud of a tenant."""
        with alone(self.directory / _LOCK):
            return self._admit(self.registry, [self._authority.hub_of(tenant)])

    def certify(self, names: Sequence[str], days_min: int) -> bool:
        """Sign the server's certificate anew when it is not for these names, or for fewer days; says whether it was."""
        with alone(self.directory / _LOCK):
            known = self.registry
            every = tuple(dict.fromkeys((*known.server.names, *names)))
            tls = self.directory / "tls"
            if every == known.server.names and certificates.days_left(tls / "server.pem") >= days_min:
                return False
            certificates.sign_server(tls, every)
            server = msgspec.structs.replace(known.server, names=every)
            write_private(
                self.directory / REGISTRY_FILE, registry.encode(msgspec.structs.replace(known, server=server))
            )
            return True

    def rotate(self, tenant: str, name: str) -> Done:
        """Give somebody a new key; the old one is worthless from now on. NotFoundError when there is nobody."""
        with alone(self.directory / _LOCK):
            known = self.registry
            member = known.find(tenant, name)
            return self._admit(self._authority.dismiss(known, member), [member.identity])

    def revoke(self, tenant: str, name: str) -> Done:
        """Take somebody away: the server ends his connections. NotFoundError when there is nobody."""
        with alone(self.directory / _LOCK):
            known = self.registry
            member = known.find(tenant, name)
            server = self._write(self._authority.dismiss(known, member))
            gone = [self.credentials(member.identity), self.certificate(member.identity)]
            for path in gone:
                path.unlink(missing_ok=True)
            return Done((), server)

    def refresh(self) -> Done:
        """Write what the server reads as this release knows the subjects, and tell it."""
        with alone(self.directory / _LOCK):
            return Done((), self._write(self.registry))

    def expected(self) -> str:
        """What `auth.conf` is to say."""
        return self._authority.configuration(self.registry)

    def credentials(self, one: Identity) -> Path:
        """Where the credentials of somebody are, until they are brought to his machine."""
        return self.directory / PLACE / f"{one.label}.creds"

    def certificate(self, one: Identity) -> Path:
        """Where his key and certificate are, if the server asks for one."""
        return self.directory / PLACE / f"{one.label}.pem"

    def _admit(self, known: Registry, newcomers: list[Identity]) -> Done:
        """The secrets come first: a daemon that is refused meanwhile reads them when it tries again."""
        files = []
        for one in newcomers:
            known, text = self._authority.admit(known, one)
            files += self._hand_out(known.server, one, text)
        return Done(tuple(files), self._write(known))

    def _hand_out(self, server: Server, one: Identity, text: str) -> list[Path]:
        files = [self.credentials(one)]
        write_private(files[0], text)
        if server.mutual:
            files.append(self.certificate(one))
            write_private(files[1], certificates.sign_client(self.directory / "tls", one.label))
        return files

    def _write(self, known: Registry) -> str:
        """The server's file first: were we to end here, doing it again would set the other right."""
        write_private(self.directory / AUTHORIZATION_FILE, self._authority.configuration(known))
        write_private(self.directory / REGISTRY_FILE, registry.encode(known))
        return self._authority.tell(known)


def found(directory: Path, server: Server, *, with_operator: bool = False, tenant: str = DEFAULT_TENANT) -> Done:
    """Make a directory of identities with a server's configuration and a centralcloud in it.

    UsageError when something is there already, ConfigurationError when certificates cannot be made.
    """
    directory = directory.absolute()
    make_private(directory)
    try:
        if server.tls:
            certificates.make_authority(directory / "tls")
            certificates.sign_server(directory / "tls", server.names)
        empty = OperatorAuthority(directory).found(Registry(server)) if with_operator else Registry(server)
        write_private(directory / "nats.conf", server_configuration(server, directory))
        write_private(directory / REGISTRY_FILE, registry.encode(empty))
        return Office(directory).add_hub(tenant)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)  # it was empty, and half of it would be in the way
        raise


def _is_in(known: Registry, one: Identity) -> bool:
    return any(member.identity == one for member in known.members)


def _read(directory: Path) -> Registry:
    try:
        return registry.decode((directory / REGISTRY_FILE).read_bytes())
    except FileNotFoundError:
        raise NotFoundError(
            f"there are no identities in {directory}; make them with `flocklore nats init`, or name their --directory"
        ) from None


def _authority(directory: Path, known: Registry) -> Authority:
    return OperatorAuthority(directory) if known.operator is not None else KeyAuthority(directory)
