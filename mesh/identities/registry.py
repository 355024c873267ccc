"""Everybody NATS knows, as kept in `registry.json`: names and public keys, no secret. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from mesh.identities.permissions import Identity, Kind, identity
from schemas.names import Name
from shared.errors import ConfigurationError, NotFoundError, UsageError

HUB_NAME: Final = "hub"
"""The name of centralcloud where one serves all tenants."""

PublicKey = Annotated[str, Meta(pattern=r"^[UAO][A-Z2-7]{55}$")]


class Server(Struct, frozen=True):
    """What the server of these identities is like."""

    host: str = "127.0.0.1"
    port: int = 4222
    names: tuple[str, ...] = ()
    """What its certificate is for."""
    tls: bool = False
    mutual: bool = False
    """Whether clients must show a certificate, too."""

    @property
    def url(self) -> str:
        """Where it is reached, by the first name it has."""
        named = self.names[0] if self.names else self.host
        here = named if named not in {"0.0.0.0", "::"} else "127.0.0.1"  # noqa: S104 - what is asked, not what is bound
        return f"{'tls' if self.tls else 'nats'}://{here}:{self.port}"


class Member(Struct, frozen=True):
    """One identity, and the key it proves itself with."""

    tenant: Name
    name: Name
    kind: Kind
    public_key: PublicKey
    since: datetime

    @property
    def identity(self) -> Identity:
        """Who it is."""
        return identity(self.tenant, self.name, self.kind)


class Account(Struct, frozen=True):
    """A tenant of an operator: its subjects and streams are its own."""

    public_key: PublicKey
    signers: dict[Kind, PublicKey]
    """Who signs for each kind; the permissions of a kind are those of its signer."""
    revoked: dict[PublicKey, int] = {}
    """Keys of users, with the second up to which what was signed for them is void."""


class Operator(Struct, frozen=True):
    """Who signs for accounts."""

    public_key: PublicKey
    system_account: PublicKey
    accounts: dict[Name, Account] = {}


class Registry(Struct, frozen=True):
    """All of it; `operator` is None where the server itself knows every user by its key."""

    server: Server
    members: tuple[Member, ...] = ()
    operator: Operator | None = None
    version: int = 1

    def find(self, tenant: str, name: str) -> Member:
        """Return one; NotFoundError when there is none."""
        for member in self.members:
            if (member.tenant, member.name) == (tenant, name):
                return member
        raise NotFoundError(f"there is no {tenant}.{name}; `flocklore nats list` shows who there is")

    def with_member(self, new: Member) -> Registry:
        """Add one; UsageError when the name is taken."""
        if any((one.tenant, one.name) == (new.tenant, new.name) for one in self.members):
            raise UsageError(
                f"there is a {new.tenant}.{new.name} already; give it a new key with `flocklore nats rotate`"
            )
        return msgspec.structs.replace(self, members=tuple(sorted((*self.members, new), key=_order)))

    def without(self, gone: Member) -> Registry:
        """Take one away."""
        return msgspec.structs.replace(self, members=tuple(one for one in self.members if one != gone))


def encode(registry: Registry) -> str:
    """The text of the file."""
    return msgspec.json.format(msgspec.json.encode(registry), indent=2).decode() + "\n"


def decode(text: bytes) -> Registry:
    """Read the file; ConfigurationError when it is not one."""
    try:
        return msgspec.json.decode(text, type=Registry)
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"registry.json cannot be read ({error}); restore it from a backup") from error


def _order(member: Member) -> tuple[bool, str, str]:
    return (member.kind != "centralcloud", member.tenant, member.name)
