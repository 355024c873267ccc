"""Makes what a deployment is missing, and hands each part its own; what is there stays as it is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from mesh.identities.files import DIRECTORY_MODE, alone, write_handed
from mesh.identities.office import REGISTRY_FILE, Office, found
from mesh.identities.permissions import Identity, identity
from mesh.identities.registry import Server
from mesh.provision.databases import CENTRAL, instance_databases, owned_url
from mesh.provision.handing import (
    CENTRALCLOUD,
    INSTANCES,
    NATS,
    POSTGRES,
    READERS,
    Handed,
    to_centralcloud,
    to_instance,
    to_nats,
    to_postgres,
    token_of,
)
from mesh.provision.words import WORDS_FILE, Words, keep_words
from schemas.names import DEFAULT_TENANT
from shared.embedded.ports import LOOPBACK
from shared.errors import UsageError

IDENTITIES: Final = "identities"
ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - in a container its own network
HANDED_DIRECTORY_MODE: Final = 0o755
RENEWAL_DAYS: Final = 30

_LOCK: Final = "lock"
_OURS: Final = {_LOCK, WORDS_FILE, IDENTITIES, *(place.name for place in (NATS, POSTGRES, CENTRALCLOUD, INSTANCES))}
_OF_IDENTITIES: Final = {"tls", "nats.conf", "auth.conf", "credentials", "lock"}


class Deployment(NamedTuple):
    """What there is to be: the instances, each server of NATS by its name, and where PostgreSQL is."""

    instances: Sequence[str]
    nats_hosts: Sequence[str]
    postgres_url: str
    tenant: str = DEFAULT_TENANT
    further_names: Sequence[str] = ()
    """What servers of NATS are reached by besides, for their certificate."""


class Provided(NamedTuple):
    """What was done: the directories that were handed out, who was admitted, whether a certificate was signed."""

    directories: tuple[Path, ...]
    admitted: tuple[str, ...]
    certified: bool


def provide(directory: Path, deployment: Deployment) -> Provided:
    """Make what is missing below `directory` and hand it out; ended half-way, the next time completes it.

    UsageError for names that cannot be, and for a directory of something else; NotFoundError for credentials that
    somebody took away; ConfigurationError without openssl.
    """
    instances = [identity(deployment.tenant, name, "instance") for name in deployment.instances]
    databases = instance_databases(deployment.instances)
    _make_private(directory)
    with alone(directory / _LOCK):
        tokens = [CENTRAL, READERS, *map(token_of, deployment.instances)]
        words = keep_words(directory, [CENTRAL, *databases.values()], tokens)
        office, certified = _office(directory / IDENTITIES, deployment)
        admitted = _admit(office, deployment.tenant, instances)
        handed = _handed(office, words, deployment, databases)
        for path, text in handed.items():
            _hand_out(directory / path, text)
    return Provided(tuple(dict.fromkeys(directory / path.parent for path in handed)), admitted, certified)


def _hand_out(path: Path, text: str) -> None:
    path.parent.mkdir(mode=HANDED_DIRECTORY_MODE, parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_handed(path, text)


def _make_private(directory: Path) -> None:
    """What is handed out can be read by whoever gets that far: a container has its own part alone, people nothing."""
    directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    _require_ours(directory, _OURS)
    directory.chmod(DIRECTORY_MODE)


def _require_ours(directory: Path, ours: set[str]) -> None:
    strange = sorted({path.name for path in directory.iterdir() if path.name[0] != "."} - ours)
    if strange:
        raise UsageError(f"{directory} is for other things: {', '.join(strange)}; name an empty or a new directory")


def _office(directory: Path, deployment: Deployment) -> tuple[Office, bool]:
    names = tuple(dict.fromkeys((*deployment.nats_hosts, *deployment.further_names, "localhost", LOOPBACK)))
    if not (directory / REGISTRY_FILE).exists():
        _clear(directory)
        found(directory, Server(ANYWHERE, names=names, tls=True), tenant=deployment.tenant)
        return Office(directory), True
    office = Office(directory)
    if office.registry.operator or not office.registry.server.tls:
        raise UsageError(f"{directory} was made by `flocklore nats init` in another way; hand these out yourself")
    return office, office.certify(names, RENEWAL_DAYS)


def _clear(directory: Path) -> None:
    """Take away what somebody who was ended left unfinished: without a registry nobody was ever admitted."""
    if directory.exists():
        _require_ours(directory, _OF_IDENTITIES)
        shutil.rmtree(directory)


def _admit(office: Office, tenant: str, instances: Sequence[Identity]) -> tuple[str, ...]:
    members = office.registry.members
    names = {(member.tenant, member.name) for member in members}
    missing = [one for one in instances if (one.tenant, one.name) not in names]
    if office.hub_of(tenant) not in {member.identity for member in members}:
        office.add_hub(tenant)
    if missing:
        office.add(*missing)
    # A release that knows more subjects says so to the server.
    office.refresh()
    return tuple(one.label for one in missing)


def _handed(office: Office, words: Words, deployment: Deployment, databases: dict[str, str]) -> Handed:
    hub, known = office.hub_of(deployment.tenant), office.registry
    handed = to_nats(office, deployment.nats_hosts, words) | to_postgres(words)
    handed |= to_centralcloud(office, hub, words, deployment.postgres_url)
    for name, database in databases.items():
        url = owned_url(deployment.postgres_url, database, words.databases[database])
        handed |= to_instance(office, known.find(deployment.tenant, name).identity, words, url)
    return handed
