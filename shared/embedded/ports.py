"""Finding a free TCP port on the loopback interface."""

from __future__ import annotations

import socket

from shared.errors import ConfigurationError

LOOPBACK = "127.0.0.1"
LOOPBACK_HOSTS = frozenset({"localhost", LOOPBACK, "::1"})
_PORTS_TRIED = 100


def free_port(preferred: int) -> int:
    """Return `preferred` or the next port nobody listens on; 0 leaves the choice to the system."""
    for port in range(preferred, preferred + _PORTS_TRIED):
        with socket.socket() as probe:
            # Without this a port that was just closed looks taken for a minute, and every restart would move on.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ConfigurationError(f"no free port from {preferred} to {preferred + _PORTS_TRIED - 1}; name another one")
