"""The configuration of the server, as text. Pure.

Two files: `nats.conf` is written once and may be changed by hand; `auth.conf`, which it includes, is written anew with
every change of identities.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mesh.identities.permissions import Permissions, permissions
from mesh.identities.registry import Registry, Server

AUTHORIZATION_FILE: Final = "auth.conf"
_SECONDS_TO_LOG_IN: Final = 5

SUBSCRIPTIONS_MAX: Final = 256
"""Of one connection; a daemon has some twenty."""

PAYLOAD_BYTES_MAX: Final = 1024**2
"""Of one message; an envelope has a quarter of it, and what is larger the stream refuses."""


def server_configuration(server: Server, directory: Path) -> str:
    """The text of `nats.conf`, for a server that sees these files in `directory`."""
    tls = _tls(server, directory) if server.tls else ""
    return f"""# Made by `flocklore nats init`. Check a change with: nats-server -t -c {directory / "nats.conf"}
server_name: {_quoted(f"flocklore-{server.port}")}
listen: {_quoted(f"{server.host}:{server.port}")}
pid_file: {_quoted(directory / "nats.pid")}
max_payload: {PAYLOAD_BYTES_MAX}
max_subscriptions: {SUBSCRIPTIONS_MAX} # of one connection
ping_interval: "20s"

jetstream {{
  store_dir: {_quoted(directory / "jetstream")}
  # By default a power cut takes what was acknowledged in the two minutes before it.
  sync_interval: always
  # By default it takes three quarters of the machine's memory, and most of its disk.
  max_memory_store: 64MB
  max_file_store: 10GB
}}
{tls}
# Who may do what. Do not change it by hand, and add no account `mappings`: they are applied before permissions.
include {_quoted(AUTHORIZATION_FILE)}
"""


def users_configuration(registry: Registry) -> str:
    """The text of `auth.conf` where the server knows every user by its public key."""
    users = [{"nkey": one.public_key, "permissions": allowed(permissions(one.identity))} for one in registry.members]
    return as_configuration({"authorization": {"timeout": _SECONDS_TO_LOG_IN, "users": users}})


def operator_configuration(registry: Registry, directory: Path, operator_jwt: str, accounts: Mapping[str, str]) -> str:
    """The text of `auth.conf` where the server trusts whom an operator signed for.

    `accounts` are JWTs by public key: what a server that starts knows before anybody has told it newer ones.
    """
    if registry.operator is None:
        raise ValueError("these identities have no operator")
    return as_configuration(
        {
            "operator": operator_jwt,
            "system_account": registry.operator.system_account,
            # Only this kind lets a running server be told of a revocation; it keeps what it was told.
            "resolver": {"type": "full", "dir": str(directory / "accounts"), "interval": "2m"},
            "resolver_preload": dict(sorted(accounts.items())),
        }
    )


def allowed(what: Permissions) -> dict[str, Any]:
    """Permissions in the words of the server, to which an empty list of what is allowed would be no limit at all."""
    return {
        side: {"allow": list(subjects)} if subjects else {"deny": [">"]} for side, subjects in what._asdict().items()
    }


def as_configuration(document: Mapping[str, Any]) -> str:
    """JSON is valid in the server's language; one user a line, so that differences can be read."""
    return json.dumps(document, indent=1) + "\n"


def _tls(server: Server, directory: Path) -> str:
    verify = "\n  verify: true # and clients must show one signed by it" if server.mutual else ""
    return f"""
tls {{
  cert_file: {_quoted(directory / "tls" / "server.pem")}
  key_file: {_quoted(directory / "tls" / "server.key")}
  ca_file: {_quoted(directory / "tls" / "ca.pem")}{verify}
  timeout: {_SECONDS_TO_LOG_IN}
}}
"""


def _quoted(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)
