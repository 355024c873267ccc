"""A daemon in place of the real ones: finds its servers, says that it is ready, and stops when it is told to.

It writes what it finds in its environment to standard output, and as it stops its name to a file for all.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

_SHOWN = ("INSTANCE_ID", "DATABASE_URL", "NATS_URL", "PORT", "PYTHONPATH")
_RETRY_SECONDS = 0.05


def main(name: str) -> None:
    """Run until SIGTERM; with STAND_IN_STUBBORN set, through it."""
    found = {key: value for key, value in os.environ.items() if key in _SHOWN or key.startswith("FLOCKLORE_")}
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "STAND_IN_STUBBORN" in os.environ else lambda *_: sys.exit(0))
    while not _finds_its_servers():
        time.sleep(_RETRY_SECONDS)
    Path(os.environ["FLOCKLORE_READY_FILE"]).touch()
    try:
        while True:
            signal.pause()
    finally:
        also_now = _finds_its_servers()
        with (Path(os.environ["FLOCKLORE_STATE_DIR"]) / "stopped").open("a") as file:
            me = os.environ.get("INSTANCE_ID") or os.environ.get("WORKER_ID") or name
            file.write(f"{me} {'with' if also_now else 'without'} servers\n")


def _finds_its_servers() -> bool:
    addresses = [urlsplit(url) for url in os.environ["NATS_URL"].split(",")]
    try:
        for address in addresses:
            socket.create_connection((address.hostname, address.port or 0)).close()
        psycopg.connect(os.environ["DATABASE_URL"]).close()
    except (OSError, psycopg.OperationalError):
        return False
    return True
