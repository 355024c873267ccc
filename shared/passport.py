"""What a client shows to NATS, and what it wants to see of it: credentials and certificates.

All files are read anew for every client, so that what was rotated is used without a restart.
"""

from __future__ import annotations

import base64
import re
import ssl
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from nats.aio.client import Client, RawCredentials

from schemas.subjects import Sender, inbox_prefix
from shared.config import Settings
from shared.embedded.ports import LOOPBACK_HOSTS
from shared.errors import ConfigurationError
from shared.wary import EncryptedClient, WaryClient

PRODUCTION: Final = "production"
HUB: Final = "centralcloud"
"""In the place of a tenant: the inboxes of centralcloud. No tenant may be called so."""

TENANT_TAG: Final = "tenant:"
"""Of a JWT: before the name of the tenant."""


_SEED: Final = re.compile(r"^\s*(SU[A-Z2-7]{56})\s*$", re.MULTILINE)
_JWT: Final = re.compile(r"^\s*(eyJ[\w-]+\.[\w-]+\.[\w-]+)\s*$", re.MULTILINE)
_OWNER: Final = re.compile(r"^# identity: ([a-z0-9_-]+)\.([a-z0-9_-]+)$", re.MULTILINE)
_HUB_INBOXES: Final = f"_INBOX.{HUB}."
_REFUSALS: Final = ("authorization violation", "authentication expired", "authentication revoked")


class Passport(NamedTuple):
    """Paths: of credentials, of the authority that signed the server's certificate, of the client's own certificate."""

    credentials: str | None = None
    authority: str | None = None
    certificate: str | None = None
    key: str | None = None

    @property
    def encrypted(self) -> bool:
        """Whether nothing may be said in the clear."""
        return self.authority is not None or self.certificate is not None

    def owner(self) -> Sender | None:
        """Whose credentials these are, by their own word; None when they do not say."""
        return _owner(_read(self.credentials)) if self.credentials else None

    def require_inbox(self, prefix: str) -> None:
        """Raise ConfigurationError when these are another's credentials: the server would let no reply through."""
        owner = self.owner()
        if owner is None or prefix == inbox_prefix(owner) or (owner.tenant == HUB and prefix.startswith(_HUB_INBOXES)):
            return
        raise ConfigurationError(
            f"nats_credentials: {self.credentials} is of {owner.tenant}.{owner.instance}, "
            f"and this is {prefix.removeprefix('_INBOX.')}; `flocklore nats add-instance` makes a file for each"
        )

    def options(self) -> dict[str, Any]:
        """What nats-py is told, read from the files now; ConfigurationError names the setting that is wrong."""
        options: dict[str, Any] = {}
        if self.credentials:
            options |= _credentials(_read(self.credentials), self.credentials)
        if self.encrypted:
            options["tls"] = self._tls()
        return options

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.authority)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"nats_tls_ca: cannot use {self.authority}: {_reason(error)}") from error
        if self.certificate:
            try:
                context.load_cert_chain(self.certificate, self.key)
            except (OSError, ssl.SSLError) as error:
                raise ConfigurationError(
                    f"nats_tls_cert: cannot use {self.certificate} with nats_tls_key {self.key}: {_reason(error)}"
                ) from error
        return context


NO_PASSPORT: Final = Passport()
"""For a server that asks nobody who he is."""


def passport_of(settings: Settings) -> Passport:
    """What the settings say; ConfigurationError where a shared server would be used without credentials."""
    if settings.nats_tls_key and not settings.nats_tls_cert:
        raise ConfigurationError("nats_tls_key: there is no certificate to it; set nats_tls_cert as well")
    passport = Passport(settings.nats_credentials, settings.nats_tls_ca, settings.nats_tls_cert, settings.nats_tls_key)
    shown = passport.credentials or passport.certificate
    if settings.environment == PRODUCTION and not shown:
        for url in settings.nats_servers:
            _require_secret(url)
    return passport


def client_for(passport: Passport, servers: list[str]) -> Client:
    """A client, not connected; it insists on TLS where `passport` or a `tls://` URL does."""
    insists = passport.encrypted or any(url.startswith("tls://") for url in servers)
    return EncryptedClient() if insists else WaryClient()


def is_refusal(error: Exception) -> bool:
    """Whether the server refused who we are, or we who it is: only what is in the files by now can help."""
    said = str(error).lower()
    return isinstance(error, ssl.SSLError) or any(words in said for words in _REFUSALS)


def _require_secret(url: str) -> None:
    parts = urlsplit(url if "//" in url else f"nats://{url}")
    if parts.hostname not in LOOPBACK_HOSTS and parts.username is None:
        raise ConfigurationError(
            f"nats_credentials: environment is {PRODUCTION}, and {parts.hostname} would be used without any; "
            "make them with `flocklore nats init` and `flocklore nats add-instance`"
        )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"nats_credentials: cannot read {path}: {_reason(error)}; `flocklore nats add-instance` makes such a file"
        ) from error


def _credentials(text: str, path: str) -> dict[str, Any]:
    """An nkey is told by its seed alone, a user of an operator by a JWT beside it."""
    seed = _SEED.search(text)
    if seed is None:
        raise ConfigurationError(
            f"nats_credentials: there is no seed of a user in {path}; `flocklore nats add-instance` makes such a file"
        )
    return {"user_credentials": RawCredentials(text)} if _JWT.search(text) else {"nkeys_seed_str": seed.group(1)}


class _Facts(Struct):
    tags: list[str] = []


class _Claims(Struct):
    name: str = ""
    nats: _Facts = msgspec.field(default_factory=_Facts)


def _owner(text: str) -> Sender | None:
    if jwt := _JWT.search(text):
        return _owner_of_jwt(jwt.group(1))
    found = _OWNER.search(text)
    return Sender(found.group(1), found.group(2)) if found else None


def _owner_of_jwt(jwt: str) -> Sender | None:
    """Read without a look at the signature: the server is who judges."""
    payload = jwt.split(".")[1]
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims)
    except ValueError:
        return None
    tenants = [tag.removeprefix(TENANT_TAG) for tag in claims.nats.tags if tag.startswith(TENANT_TAG)]
    return Sender(tenants[0], claims.name) if tenants and claims.name else None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
