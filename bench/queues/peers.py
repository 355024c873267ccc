"""Pythons that have a peer installed: environments of their own beside the cache, never the project's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.fetching import Unavailable, cache_directory

_INSTALL_SECONDS_MAX: Final = 600
_ASK_VERSION: Final = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"


@dataclass(frozen=True)
class Peer:
    """A queue other people wrote: its package, what pip is asked for, and its contenders by the names shown."""

    package: str
    requirements: tuple[str, ...]
    contenders: Mapping[str, str]


PROCRASTINATE: Final = "procrastinate"
PGQUEUER: Final = "pgqueuer"
PGQUEUER_UNLIMITED: Final = "pgqueuer, no limit"
PEERS: Final = (
    Peer(
        "procrastinate",
        ("procrastinate~=3.10", "psycopg[binary]", "uvloop"),
        {PROCRASTINATE: "bench.queues.peer_procrastinate:Procrastinate"},
    ),
    Peer(
        "pgqueuer",
        ("pgqueuer~=1.6", "asyncpg", "uvloop"),
        {
            PGQUEUER: "bench.queues.peer_pgqueuer:PgQueuer",
            PGQUEUER_UNLIMITED: "bench.queues.peer_pgqueuer:PgQueuerUnlimited",
        },
    ),
)


def python_of(peer: Peer) -> tuple[Path, str]:
    """Return a Python that has the peer, and its version; raises `Unavailable`.

    pip is used as the user has configured it. What was installed once is used again.
    """
    home = cache_directory() / "peers" / peer.package
    python = home / "bin" / "python"
    try:
        return python, _run([str(python), "-c", _ASK_VERSION, peer.package])
    except Unavailable:
        _run([sys.executable, "-m", "venv", "--clear", str(home)])
        _run([str(python), "-m", "pip", "install", "--quiet", *peer.requirements])
        return python, _run([str(python), "-c", _ASK_VERSION, peer.package])


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS_MAX, check=False)
    except OSError as error:
        raise Unavailable(str(error)) from error
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(command[:3])} did not end within {_INSTALL_SECONDS_MAX} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise Unavailable(said[-1])
    return done.stdout.strip()
