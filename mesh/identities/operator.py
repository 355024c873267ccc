"""The way for large fleets and several tenants: the server trusts what an operator signed, and lists nobody.

A tenant is an account, so its subjects, its stream and its centralcloud are its own. Who is admitted needs no word to
the server; who is dismissed is named in his account, of which a running server is told.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec
import nats.errors
from nats.aio.client import Client, RawCredentials

from mesh.identities import claims
from mesh.identities.authority import Admitted, member_of, now_seconds
from mesh.identities.configuration import operator_configuration
from mesh.identities.files import write_private
from mesh.identities.keys import Key, Role, key_of, new_key
from mesh.identities.permissions import Identity, identity
from mesh.identities.registry import Account, Member, Operator, Registry, Server
from mesh.identities.server import running
from shared.errors import ConfigurationError, UnreachableError
from shared.passport import HUB, Passport, client_for

_CLAIMS_UPDATE: Final = "$SYS.REQ.CLAIMS.UPDATE"
_PUSH_SECONDS: Final = 5


class OperatorAuthority:
    """Signs with the keys below `directory`; the operator's may be kept elsewhere when nobody is dismissed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._keys = directory / "keys"

    def found(self, registry: Registry) -> Registry:
        """Make the keys of an operator and of the account that hears of all others."""
        operator = Operator(self._new("operator").public, self._new("account").public)
        return msgspec.structs.replace(registry, operator=operator)

    def hub_of(self, tenant: str) -> Identity:
        """One for each tenant, called as the tenant is."""
        return identity(HUB, tenant, "centralcloud")

    def admit(self, registry: Registry, one: Identity) -> Admitted:
        """Make a key and sign for it; a tenant not seen before gets an account, a kind new to it its signer."""
        tenant = _tenant(one)
        operator = _operator(registry)
        account = self._with_signers(operator.accounts.get(tenant))
        if account != operator.accounts.get(tenant):
            operator = msgspec.structs.replace(operator, accounts=operator.accounts | {tenant: account})
            registry = msgspec.structs.replace(registry, operator=operator)
        key = new_key("user")
        signer = self._key(account.signers[one.kind])
        token = claims.user_jwt(signer, account.public_key, one, key.public, now_seconds())
        return Admitted(registry.with_member(member_of(one, key.public)), credentials_text(token, key))

    def dismiss(self, registry: Registry, member: Member) -> Registry:
        """Name the key as revoked in its account."""
        operator = _operator(registry)
        tenant = _tenant(member.identity)
        account = operator.accounts[tenant]
        revoked = account.revoked | {member.public_key: now_seconds()}
        accounts = operator.accounts | {tenant: msgspec.structs.replace(account, revoked=revoked)}
        return msgspec.structs.replace(
            registry.without(member), operator=msgspec.structs.replace(operator, accounts=accounts)
        )

    def configuration(self, registry: Registry) -> str:
        """The operator, and all accounts as they are now."""
        operator = _operator(registry)
        signer, now = self._key(operator.public_key), now_seconds()
        itself = claims.operator_jwt(signer, operator.system_account, now)
        system = claims.system_account_jwt(signer, operator.system_account, now)
        accounts = {operator.system_account: system, **self._account_jwts(registry)}
        return operator_configuration(registry, self._directory, itself, accounts)

    def tell(self, registry: Registry) -> str:
        """Send the running server every account; it keeps those that differ."""
        if running(self._directory) is None:
            return "no server runs on it here; it reads this when it starts"
        accounts = self._account_jwts(registry)
        asyncio.run(self._push(registry, list(accounts.values())))
        return f"the server was told of {len(accounts)} accounts"

    def _account_jwts(self, registry: Registry) -> dict[str, str]:
        operator = _operator(registry)
        signer, now = self._key(operator.public_key), now_seconds()
        return {
            one.public_key: claims.account_jwt(signer, tenant, one.public_key, one.signers, one.revoked, now)
            for tenant, one in operator.accounts.items()
        }

    async def _push(self, registry: Registry, accounts: list[str]) -> None:
        passport = self._passport(registry.server)
        client = client_for(passport, [registry.server.url])
        try:
            await client.connect(
                [registry.server.url],
                allow_reconnect=False,
                connect_timeout=_PUSH_SECONDS,
                user_credentials=self._system_credentials(_operator(registry)),
                error_cb=_ignore,
                **passport.options(),
            )
            for account in accounts:
                await _update(client, account)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise UnreachableError(
                f"NATS at {registry.server.url} could not be told ({str(error) or 'no answer'}): it goes on as before; "
                "try again with `flocklore nats refresh`"
            ) from error
        finally:
            await client.close()

    def _passport(self, server: Server) -> Passport:
        """To a server that asks for a certificate its own one is shown: it is signed for both."""
        tls = self._directory / "tls"
        own = (str(tls / "server.pem"), str(tls / "server.key")) if server.mutual else (None, None)
        return Passport(None, str(tls / "ca.pem") if server.tls else None, *own)

    def _system_credentials(self, operator: Operator) -> RawCredentials:
        key = new_key("user")
        token = claims.system_user_jwt(self._key(operator.system_account), key.public, now_seconds())
        return RawCredentials(credentials_text(token, key))

    def _with_signers(self, known: Account | None) -> Account:
        """Whoever made the account may have known fewer kinds."""
        account = known or Account(self._new("account").public, {})
        missing = {kind: self._new("account").public for kind in claims.KINDS if kind not in account.signers}
        return msgspec.structs.replace(account, signers=account.signers | missing)

    def _new(self, role: Role) -> Key:
        key = new_key(role)
        write_private(self._keys / f"{key.public}.seed", f"{key.seed}\n")
        return key

    def _key(self, public: str) -> Key:
        path = self._keys / f"{public}.seed"
        try:
            return key_of(path.read_text(encoding="ascii").strip())
        except FileNotFoundError:
            raise ConfigurationError(f"{path} is away, and without it nothing can be signed; bring it back") from None


def credentials_text(token: str, key: Key) -> str:
    """A user in the form that all clients of NATS read."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        "Keep it secret: whoever has the seed is this user to NATS.\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{key.seed}\n------END USER NKEY SEED------\n"
    )


def _operator(registry: Registry) -> Operator:
    if registry.operator is None:
        raise ConfigurationError("registry.json names no operator; restore it from a backup")
    return registry.operator


def _tenant(one: Identity) -> str:
    """Whose account it is in: a centralcloud is called as the tenant it serves."""
    return one.name if one.tenant == HUB else one.tenant


async def _update(client: Client, account: str) -> None:
    reply = await client.request(_CLAIMS_UPDATE, account.encode(), timeout=_PUSH_SECONDS)
    answer = msgspec.json.decode(reply.data)
    if "error" in answer:
        raise nats.errors.Error(str(answer["error"].get("description", "refused")))


async def _ignore(_error: Exception) -> None:
    """The error that ends the attempt is reported; those on the way are not."""
