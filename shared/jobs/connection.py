"""Connections a worker keeps to itself: quick, planned in one way, and noticed when they are dead."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from shared.embedded.databases import url_of

CONNECT_SECONDS_MAX: Final = 5
LOST: Final = (psycopg.OperationalError, psycopg.InterfaceError)
"""What psycopg raises when the server went away, and when it chose our transaction to end a deadlock."""

# What is lost with the last milliseconds of a crashed server is done again: a queue is at-least-once. A generic plan
# made while the table was small must not read all of it when it has grown (measured: 7.4 ms instead of 0.16 ms), nor
# sort all that waits instead of taking it in the order of the index (5 ms).
_SETTINGS: Final = (
    "synchronous_commit=off",
    "enable_seqscan=off",
    "enable_bitmapscan=off",
    "enable_hashjoin=off",
    "enable_mergejoin=off",
    "plan_cache_mode=force_generic_plan",
    "jit=off",
)
_POOLED: Final = "unsupported startup parameter"


def parameters(url: str, *, application: str, silent_seconds: float) -> dict[str, Any]:
    """What libpq is to be told; a server that says nothing for so long is gone. What the URL says comes first."""
    ours = {
        "connect_timeout": CONNECT_SECONDS_MAX,
        "keepalives_idle": max(1, int(silent_seconds / 2)),
        "keepalives_interval": max(1, int(silent_seconds / 6)),
        "keepalives_count": 3,
        "tcp_user_timeout": int(silent_seconds * 1000),
    }
    return ours | conninfo_to_dict(url_of(url)) | {"application_name": application}


def with_settings(told: dict[str, Any]) -> dict[str, Any]:
    """The same with the settings of the hot path, which a pooler may refuse; see `refused_by_pooler`."""
    options = " ".join(f"-c {setting}" for setting in _SETTINGS)
    return told | {"options": f"{told.get('options', '')} {options}".strip()}


def refused_by_pooler(error: psycopg.OperationalError) -> bool:
    """Whether pgBouncer stands between: it shares connections, so nothing may be set on them or prepared."""
    return _POOLED in str(error)
