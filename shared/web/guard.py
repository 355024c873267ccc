"""Who may ask: host names against DNS rebinding, origins against other people's pages, tokens, and how often."""

from __future__ import annotations

import hmac
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from schemas.replies import ErrorCode
from shared.config import Settings
from shared.errors import ConfigurationError
from shared.web.endpoint import Access
from shared.web.refusal import RefusedError

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
CLIENTS_MAX: Final = 10_000
"""So many addresses are remembered; the one not heard from for longest is forgotten first, and has a full bucket."""

BURST_SECONDS: Final = 2.0
_REMEMBERED: Final = 1_000
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Buckets:
    """A bucket of tokens for each client: filled at a rate, emptied by requests."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._size = max(1.0, per_second * BURST_SECONDS)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take a token; returns 0, or the seconds until there is one."""
        now = self._clock()
        tokens, since = self._left.pop(client, (self._size, now))
        tokens = min(self._size, tokens + (now - since) * self._per_second)
        wait_seconds = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._left[client] = (tokens if wait_seconds else tokens - 1, now)
        if len(self._left) > CLIENTS_MAX:
            self._left.popitem(last=False)
        return wait_seconds


class Guard:
    """Judges requests. Without a token whoever is on this machine may do everything, and nobody else anything.

    An address in place of a name is always right in `Host`: only a name can be pointed at another machine.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        read_token: str | None = None,
        tenant_tokens: Mapping[str, str] = MappingProxyType({}),
        names: Iterable[str] = (),
        requests_per_second: float = 200.0,
    ) -> None:
        self._token = token.encode() if token else None
        self._read_token = read_token.encode() if read_token else None
        self._tenants = [(tenant, said.encode()) for tenant, said in tenant_tokens.items()]
        self._further = frozenset(name.lower() for name in names)
        self._names = LOOPBACK_NAMES | self._further
        self._buckets = Buckets(requests_per_second)
        self._answers_to = lru_cache(_REMEMBERED)(self._judge)

    def check_host(self, scope: Scope) -> None:
        """Refuse a page that reaches us under a name of its own, and one of another site that would change things."""
        told = dict(scope["headers"])
        host = told.get(b"host", b"").decode("latin-1")
        if not self._answers_to(host):
            raise RefusedError(
                421,
                ErrorCode.INVALID_REQUEST,
                "this does not answer to that name; ask localhost, or see http_names",
            )
        origin = told.get(b"origin")
        if origin is not None and scope["method"] not in _SAFE and not self._is_ours(origin.decode("latin-1"), host):
            raise RefusedError(403, ErrorCode.UNAUTHORIZED, "a page of another site cannot change anything here")

    def _judge(self, host: str) -> bool:
        name = _name(host)
        return name in self._names or _is_address(name)

    def admit(self, scope: Scope, access: Access, *, of_tenants: bool = False) -> str | None:
        """Refuse who asks too often, and who may not; what is open is open however often it is asked for.

        Returns the one tenant that may be asked about; None: any. `of_tenants` is what such a token is for.
        """
        if access is Access.OPEN:
            return None
        client = scope["client"][0] if scope.get("client") else ""
        if wait_seconds := self._buckets.take(client):
            raise RefusedError(
                429, ErrorCode.RATE_LIMITED, "too many requests", retry_after_seconds=math.ceil(wait_seconds)
            )
        if self._token is None:
            if not _is_loopback(client):
                raise _unknown("without a token this answers its own machine only; set http_token")
            return None
        return self._check_token(Headers(scope=scope).get("authorization", ""), access, of_tenants=of_tenants)

    def _check_token(self, authorization: str, access: Access, *, of_tenants: bool) -> str | None:
        scheme, _, said = authorization.partition(" ")
        given = said.strip().encode("latin-1") if scheme.lower() == "bearer" else b""
        writes = self._token is not None and hmac.compare_digest(given, self._token)
        reads = self._read_token is not None and hmac.compare_digest(given, self._read_token)
        if tenants := [tenant for tenant, token in self._tenants if hmac.compare_digest(given, token)]:
            if not of_tenants:
                raise RefusedError(
                    403, ErrorCode.UNAUTHORIZED, "this token is for what one tenant has, and for no more"
                )
            return tenants[0]
        if not writes and not reads:
            raise _unknown("send a token that is known here: `Authorization: Bearer ...`")
        if access is Access.WRITE and not writes:
            raise RefusedError(403, ErrorCode.UNAUTHORIZED, "this token may read, and change nothing")
        return None

    def _is_ours(self, origin: str, host: str) -> bool:
        """Whether a page was served by us; behind a proxy it knows us by one of our further names."""
        try:
            place = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return place == host.lower() or _name(place) in self._further


def guard_of(settings: Settings, tenant_tokens: Mapping[str, str] = MappingProxyType({})) -> Guard:
    """Make the guard that the settings ask for; `ConfigurationError` when they leave a door open."""
    names = [name.strip() for name in settings.http_names.split(",") if name.strip()]
    if settings.http_token is None:
        if not _is_loopback(settings.http_host) and settings.http_host != "localhost":
            raise ConfigurationError(f"http_host: {settings.http_host} can be reached by others; set http_token, too")
        if names:
            raise ConfigurationError("http_names: what has other names can be reached by others; set http_token, too")
        if settings.http_read_token is not None:
            raise ConfigurationError("http_read_token: without http_token everybody here may change things; set both")
        if tenant_tokens:
            raise ConfigurationError("tenant_tokens: without http_token everybody here may see all tenants; set both")
    return Guard(
        token=settings.http_token,
        read_token=settings.http_read_token,
        tenant_tokens=tenant_tokens,
        names=names,
        requests_per_second=settings.http_requests_per_second,
    )


def _unknown(message: str) -> RefusedError:
    return RefusedError(401, ErrorCode.UNAUTHORIZED, message, headers={"www-authenticate": "Bearer"})


def _name(host: str) -> str:
    """Read the name from `name:port`, `[address]:port` or either without a port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


@lru_cache(_REMEMBERED)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache(_REMEMBERED)
def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
