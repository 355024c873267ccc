"""How a server knows who is who: what the two ways have in common, and the way that lists the key of everybody."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from mesh.identities.configuration import users_configuration
from mesh.identities.keys import new_key
from mesh.identities.permissions import Identity, identity
from mesh.identities.registry import HUB_NAME, Member, Registry
from mesh.identities.server import reload
from shared.passport import HUB


class Admitted(NamedTuple):
    """The identities with somebody new, and the text of his credentials: a secret."""

    registry: Registry
    credentials: str


class Authority(Protocol):
    """Admits and dismisses; nothing is in force before the files are written and the server is told."""

    def hub_of(self, tenant: str) -> Identity:
        """The centralcloud that serves a tenant."""

    def admit(self, registry: Registry, one: Identity) -> Admitted:
        """Make a key for somebody, and what proves that it is his."""

    def dismiss(self, registry: Registry, member: Member) -> Registry:
        """Make the key of somebody worthless."""

    def configuration(self, registry: Registry) -> str:
        """The text of `auth.conf`."""

    def tell(self, registry: Registry) -> str:
        """Have the running server follow; says in a sentence what was done, or what is to be done."""


class KeyAuthority:
    """The server lists the public key of everybody: simple, and good for some thousands."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def hub_of(self, tenant: str) -> Identity:  # noqa: ARG002 - one serves them all
        """One for all tenants."""
        return identity(HUB, HUB_NAME, "centralcloud")

    def admit(self, registry: Registry, one: Identity) -> Admitted:
        """Make a key; the seed of it is the credentials."""
        key = new_key("user")
        text = f"# identity: {one.label}\n# Keep it secret: whoever has it is {one.label} to NATS.\n{key.seed}\n"
        return Admitted(registry.with_member(member_of(one, key.public)), text)

    def dismiss(self, registry: Registry, member: Member) -> Registry:
        """Strike somebody from the list."""
        return registry.without(member)

    def configuration(self, registry: Registry) -> str:
        """Everybody, with what he may do."""
        return users_configuration(registry)

    def tell(self, registry: Registry) -> str:  # noqa: ARG002 - all of it is in the file
        """Signal the server to read it."""
        return reload(self._directory)


def member_of(one: Identity, public_key: str) -> Member:
    """The entry of somebody admitted now."""
    return Member(one.tenant, one.name, one.kind, public_key, datetime.now(UTC).replace(microsecond=0))


def now_seconds() -> int:
    """The time as tokens have it."""
    return int(time.time())


PLACE: Final = "credentials"
"""Where credentials are, below the directory of the identities."""
