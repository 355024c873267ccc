"""What an operator signs: accounts and users as JSON Web Tokens of NATS, version 2. Pure but for the keys it is given.

Signed by key (`ed25519-nkey`), so they are made offline: the server needs the operator's public key alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from mesh.identities.configuration import PAYLOAD_BYTES_MAX, SUBSCRIPTIONS_MAX, allowed
from mesh.identities.keys import Key
from mesh.identities.permissions import Identity, Kind, permissions
from shared.passport import HUB, TENANT_TAG

KINDS: Final[tuple[Kind, ...]] = ("instance", "delegate", "read_only", "observer", "centralcloud")

_HEADER: Final = {"typ": "JWT", "alg": "ed25519-nkey"}
_NAME: Final = "{{name()}}"
"""The server puts the name of a user here; names are checked before anything is signed for them."""

_UNLIMITED: Final = {"subs": -1, "data": -1, "payload": -1}
_USER_LIMITS: Final = {"subs": SUBSCRIPTIONS_MAX, "data": -1, "payload": PAYLOAD_BYTES_MAX}
_ACCOUNT_LIMITS: Final = {**_UNLIMITED, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
_JETSTREAM_LIMITS: Final = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}


def operator_jwt(operator: Key, system_account: str, now: int) -> str:
    """The operator by its own word; `now` in seconds."""
    claims = {"type": "operator", "system_account": system_account}
    return _signed(operator, operator.public, "flocklore", claims, now)


def system_account_jwt(operator: Key, public_key: str, now: int) -> str:
    """The account that hears of connections and takes new accounts; it has no streams."""
    return _signed(operator, public_key, "SYS", {"type": "account", "limits": _ACCOUNT_LIMITS}, now)


def account_jwt(
    operator: Key, tenant: str, public_key: str, signers: Mapping[Kind, str], revoked: Mapping[str, int], now: int
) -> str:
    """A tenant: one signer for each kind of user, with what that kind may do."""
    scopes = [
        {"kind": "user_scope", "key": key, "role": kind, "template": _template(tenant, kind)}
        for kind, key in signers.items()
    ]
    claims: dict[str, Any] = {
        "type": "account",
        "limits": _ACCOUNT_LIMITS | _JETSTREAM_LIMITS,
        "signing_keys": scopes,
        "revocations": dict(revoked),
    }
    return _signed(operator, public_key, tenant, claims, now)


def user_jwt(signer: Key, account: str, one: Identity, public_key: str, now: int, expires: int | None = None) -> str:
    """A user with what its signer's kind may do; void from the second `expires` on."""
    claims = {"type": "user", "issuer_account": account, "tags": [f"{TENANT_TAG}{one.tenant}"]}
    return _signed(signer, public_key, one.name, claims, now, expires)


def system_user_jwt(account: Key, public_key: str, now: int) -> str:
    """Who tells a running server of new accounts."""
    limits = {**_UNLIMITED, "pub": {}, "sub": {}}
    return _signed(account, public_key, "sys", {"type": "user", **limits}, now)


def _template(tenant: str, kind: Kind) -> dict[str, Any]:
    spoken = permissions(Identity(HUB if kind == "centralcloud" else tenant, _NAME, kind))
    limits = allowed(spoken)
    return {**_USER_LIMITS, "pub": limits["publish"], "sub": limits["subscribe"]}


def _signed(
    signer: Key, subject: str, name: str, claims: Mapping[str, Any], now: int, expires: int | None = None
) -> str:
    payload: dict[str, Any] = {"iat": now, "iss": signer.public, "name": name, "sub": subject}
    if expires is not None:
        payload["exp"] = expires
    payload["nats"] = {**claims, "version": 2}
    payload["jti"] = hashlib.blake2b(_canonical(payload), digest_size=16).hexdigest()
    body = f"{_encoded(_canonical(_HEADER))}.{_encoded(_canonical(payload))}"
    return f"{body}.{_encoded(signer.sign(body.encode()))}"


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
