"""Settings, resolved once: defaults < flocklore.toml < environment < flags, each with where it came from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from schemas.names import DEFAULT_TENANT, Name
from shared.errors import ConfigurationError

FILE_NAME: Final = "flocklore.toml"
ENVIRONMENT_PREFIX: Final = "FLOCKLORE_"

POOL_SIZE: Final = 5
POOL_OVERFLOW: Final = 5
CONNECTIONS_MAX: Final = 1_000

Seconds = Annotated[float, Meta(gt=0, le=7 * 86_400)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Role = Literal["hybrid", "worker", "ingestor", "web", "read_only"]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What both daemons can be told."""

    tenant: Name = DEFAULT_TENANT
    environment: str = "development"
    region: str = ""
    state_dir: str | None = None
    """Where embedded servers keep their data; None: by the platform's convention."""
    database_url: str | None = None
    """Any PostgreSQL 15+; None: an embedded one in the state directory.

    Of several servers, as in `postgresql://me@one:5432,two:5432/hub`, the one that takes changes.
    """
    database_pool_size: Annotated[int, Meta(ge=1, le=CONNECTIONS_MAX)] = POOL_SIZE
    """How many connections to it stay open for work, and as many for what is asked over HTTP."""
    database_pool_overflow: Annotated[int, Meta(ge=0, le=CONNECTIONS_MAX)] = POOL_OVERFLOW
    """How many more of either are opened while they are needed."""
    database_wait_seconds: Seconds = 1.0
    """Who asks over HTTP and would wait longer for a connection is told to ask again."""
    nats_url: str | None = None
    """One or several servers, comma-separated."""
    nats_host: str | None = None
    nats_port: Port = 4222
    dns_cluster_query: str | None = None
    """A name that stands for all servers there are now; looked up anew for every attempt to connect."""
    nats_credentials: str | None = None
    """Path of a credentials file, as `flocklore nats add-instance` makes one."""
    nats_tls_ca: str | None = None
    """Path of the certificate of who signs the servers' ones; with it nothing is said in the clear."""
    nats_tls_cert: str | None = None
    """Path of this client's own certificate, for servers that ask for one."""
    nats_tls_key: str | None = None
    """Path of the key to it; None: it is in the same file."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"
    syslog: str | None = None
    """`host:port` (UDP) or the path of a socket; None: none."""
    trace_url: str | None = None
    """Where spans are sent, OTLP over HTTP with its path: `http://collector:4318/v1/traces`; needs the extra `otel`."""
    ready_file: str | None = None
    """Created when the daemon is ready."""
    role: Role = "hybrid"
    """What this process does: everything, only jobs, only taking in and passing on, only answering, only listening."""
    worker_id: Name | None = None
    """Name of this process among those that share the database; None: the instance's, or the host's."""
    heartbeat_seconds: Seconds = 5.0
    dead_seconds: Seconds = 30.0
    """A process not heard for this long is dead: its jobs are run by others."""
    queues: dict[str, Annotated[int, Meta(ge=0, le=1000)]] = {}
    """How many jobs of a queue this process runs at once, where it differs from what the database says."""
    schedules: dict[str, str] = {}
    """Overrides of the schedule table: name = seconds, a cron line, or "off"."""
    http_port: Annotated[int, Meta(ge=0, le=65_535)] | None = None
    """Where it answers over HTTP; 0: any free port; None: nowhere."""
    http_host: str = "127.0.0.1"
    """The address it listens on; another than of this machine alone needs `http_token`."""
    http_token: str | None = None
    """Who sends it may read and change everything; None: whoever is on this machine may."""
    http_read_token: str | None = None
    """Who sends it may read everything."""
    http_names: str = ""
    """Further names it is reached by, separated by commas; requests for another are refused."""
    http_requests_per_second: Annotated[float, Meta(gt=0, le=1_000_000)] = 200.0
    """How often each address may ask for what is not open to all; twice as often for a moment."""

    @property
    def nats_servers(self) -> list[str]:
        """Server URLs in the order given; empty when NATS was not configured."""
        if self.nats_url:
            return [url.strip() for url in self.nats_url.split(",") if url.strip()]
        host = self.nats_host or self.dns_cluster_query
        return [f"nats://{host}:{self.nats_port}"] if host else []


_PASSWORD: Final = re.compile(r"(?P<before>://[^/?@:]*:|[?&]password=)(?P<secret>(?<=:)[^/?]*(?=@)|(?<==)[^&]*)")
"""In an address: after the name of the user, up to the last @ before the path; or among what follows the path."""

PLAIN_NAMES: Final = {
    "INSTANCE_ID": "instance_id",
    "WORKER_ID": "worker_id",
    "APP_ROLE": "role",
    "ORCHESTRATOR_ROLE": "orchestrator_role",
    "DATABASE_URL": "database_url",
    "NATS_URL": "nats_url",
    "NATS_HOST": "nats_host",
    "NATS_PORT": "nats_port",
    "DNS_CLUSTER_QUERY": "dns_cluster_query",
    "PORT": "http_port",
}
"""Environment names that work without the prefix."""

FILE_SUFFIX: Final = "_FILE"
"""`DATABASE_URL_FILE` is the path of a file that holds what `DATABASE_URL` would; so for everything that is secret."""

_SECRET: Final = ("_url", "_token", "_tokens")
"""How the names of settings end in which there may be a secret."""

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Resolved(Generic[S]):
    """Settings and, for each key, the layer its value came from."""

    settings: S
    origins: Mapping[str, str]

    def shown(self) -> list[tuple[str, str, str]]:
        """Rows of (key, value, origin), secrets masked."""
        values = msgspec.structs.asdict(self.settings)
        return [(key, masked(key, values[key]), self.origins[key]) for key in sorted(values)]


def resolve(
    kind: type[S],
    section: str,
    *,
    environment: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    file: Path | None = None,
) -> Resolved[S]:
    """Merge the layers and convert once; raises `ConfigurationError` naming the key and its origin."""
    fields = {field.name for field in msgspec.structs.fields(kind)}
    told = _from_environment(environment, fields)
    layers = [
        *_file_layers(file, section),
        ("environment", told),
        *_secret_layers(environment, fields, told),
        ("flag", {key: value for key, value in (flags or {}).items() if value is not None}),
    ]
    values: dict[str, Any] = {}
    origins = dict.fromkeys(fields, "default")
    for origin, layer in layers:
        values.update(layer)
        origins.update(dict.fromkeys(layer, origin))
    return Resolved(_convert(kind, values, origins), {key: origins[key] for key in fields})


def masked(key: str, value: Any) -> str:
    """Show a value without its secret: passwords in URLs, tokens."""
    text = "" if value is None else str(value)
    if not key.endswith(_SECRET):
        return text
    if key.endswith("_url"):
        return _PASSWORD.sub(lambda found: f"{found['before']}***", text)
    return "***" if value else text


def passwords(url: str) -> list[str]:
    """The passwords that one address, or several separated by commas, hold, as they are written there."""
    return [found["secret"] for found in _PASSWORD.finditer(url) if found["secret"]]


def _file_layers(file: Path | None, section: str) -> list[tuple[str, dict[str, Any]]]:
    """Top-level keys of the file are for both daemons, keys of its `[section]` for one."""
    path = file or Path(FILE_NAME)
    if file is None and not path.is_file():
        return []
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}; check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    common = {key: value for key, value in document.items() if not isinstance(value, dict)}
    return [(f"{path}", common), (f"{path} [{section}]", document.get(section, {}))]


def _from_environment(environment: Mapping[str, str], fields: set[str]) -> dict[str, str]:
    """Take known names only; an empty value counts as not set."""
    keys = {name: _setting(name) for name, value in environment.items() if value != ""}
    return {key: environment[name] for name, key in keys.items() if key in fields}


def _secret_layers(
    environment: Mapping[str, str], fields: set[str], told: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """What stands in files that the environment names: a layer for each, so that its path is where it came from."""
    for name, path in environment.items():
        key = _setting(name.removesuffix(FILE_SUFFIX))
        if path == "" or not name.endswith(FILE_SUFFIX) or key not in fields or not key.endswith(_SECRET):
            continue
        if key in told:
            raise ConfigurationError(f"{key}: the environment has both a value and {name}; keep one of them")
        yield path, {key: _secret(name, path)}


def _secret(name: str, path: str) -> str:
    """The text of a file without the line end that editors and templates leave; an empty one would open a door."""
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(f"{name}: cannot read {path}: {reason}; check the path") from error
    if not text:
        raise ConfigurationError(f"{name}: {path} is empty; write the secret into it, or do not name it")
    return text


def _setting(name: str) -> str:
    """The setting that a variable of the environment is for; empty when it cannot be for one."""
    if name in PLAIN_NAMES:
        return PLAIN_NAMES[name]
    return name.removeprefix(ENVIRONMENT_PREFIX).lower() if name.startswith(ENVIRONMENT_PREFIX) else ""


def _convert(kind: type[S], values: Mapping[str, Any], origins: Mapping[str, str]) -> S:
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        key = _key_of(str(error))
        origin = f" (from {origins[key]})" if key in origins else ""
        raise ConfigurationError(f"{error}{origin}; see `flocklore config show`") from error


def _key_of(message: str) -> str:
    """Read the key from msgspec's "... - at `$.key[...]`"; empty when it names none."""
    _, _, path = message.partition("`$.")
    return path.rstrip("`").split("[")[0].split(".")[0]
