"""Which secrets each part of a deployment is given, as files: pure, from what was made to texts by their paths."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mesh.identities.configuration import AUTHORIZATION_FILE
from mesh.identities.office import Office
from mesh.identities.permissions import Identity
from mesh.provision.databases import CENTRAL, databases_script, owned_url
from mesh.provision.words import Words
from shared.errors import NotFoundError

NATS: Final = Path("nats")
POSTGRES: Final = Path("postgres")
CENTRALCLOUD: Final = Path("centralcloud")
INSTANCES: Final = Path("instances")
READERS: Final = "centralcloud-read"
"""The token of who may only read what centralcloud shows."""

ROUTES_PORT: Final = 6222
_ROUTES_USER: Final = "route"
_ROUTES_SECONDS: Final = 5

Handed = dict[Path, str]
"""Texts by the path of their file, below the directory of the deployment."""


def token_of(name: str) -> str:
    """The name of the token that an instance is asked with."""
    return f"instance-{name}"


def to_nats(office: Office, hosts: Sequence[str], words: Words) -> Handed:
    """Who may do what, the servers' certificate, and where servers of a cluster find and how they know each other."""
    tls = office.directory / "tls"
    return {
        NATS / AUTHORIZATION_FILE: _text(office.directory / AUTHORIZATION_FILE),
        NATS / "routes.conf": _routes(hosts, words.routes),
        **{NATS / name: _text(tls / name) for name in ("server.pem", "server.key", "ca.pem")},
    }


def to_postgres(words: Words) -> Handed:
    """The administrator's password, and what makes databases and roles."""
    return {POSTGRES / "password": words.superuser, POSTGRES / "databases.sql": databases_script(words.databases)}


def to_centralcloud(office: Office, hub: Identity, words: Words, server_url: str) -> Handed:
    """Its credentials, its database, and the tokens of who asks it."""
    mine = _daemon(office, hub, owned_url(server_url, CENTRAL, words.databases[CENTRAL]), words.tokens[CENTRAL])
    mine["http-read.token"] = words.tokens[READERS]
    return {CENTRALCLOUD / name: text for name, text in mine.items()}


def to_instance(office: Office, one: Identity, words: Words, database_url: str) -> Handed:
    """The same of an instance."""
    mine = _daemon(office, one, database_url, words.tokens[token_of(one.name)])
    return {INSTANCES / one.name / name: text for name, text in mine.items()}


def _routes(hosts: Sequence[str], password: str) -> str:
    """For the inside of a `cluster` block. What a server shows to another has to be in the route to it."""
    shown = {"user": _ROUTES_USER, "password": password, "timeout": _ROUTES_SECONDS}
    routes = [f"nats://{_ROUTES_USER}:{password}@{host}:{ROUTES_PORT}" for host in hosts]
    return f"authorization: {json.dumps(shown)}\nroutes: {json.dumps(routes)}\n"


def _daemon(office: Office, one: Identity, database_url: str, token: str) -> dict[str, str]:
    return {
        "nats.creds": _text(office.credentials(one)),
        "ca.pem": _text(office.directory / "tls" / "ca.pem"),
        "database.url": database_url,
        "http.token": token,
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(
            f"{path} is away; bring it back, or make another: for credentials `flocklore nats rotate`"
        ) from None
