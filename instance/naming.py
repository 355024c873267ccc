"""What an instance, and a process of it, is called when nobody has said."""

from __future__ import annotations

import re
import socket


def default_instance_id() -> str:
    """A name made of the host's: `instance_<host>`, in the letters a subject may have."""
    host = re.sub(r"[^a-z0-9_-]+", "-", socket.gethostname().lower()).strip("-")
    return f"instance_{host or 'local'}"[:63]
