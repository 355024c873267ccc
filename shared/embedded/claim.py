"""A directory that one server at a time may use.

The claim is an flock whose descriptor the server inherits: it lasts exactly as long as the server or any of its
own children lives, also when the process that started it was killed, and no stale file can outlive them.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

from shared.embedded.processes import ProcessIdentity, this_process
from shared.errors import AlreadyRunningError

_POLL_SECONDS = 0.02
_RECORD_BYTES_MAX = 4096


class Claim:
    """The exclusive right to run a server in a directory, held through `descriptor` and whoever inherits it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def take(cls, path: Path, timeout_seconds: float) -> Claim:
        """Take the claim kept in the file `path`.

        Waits for a server that is going down; AlreadyRunningError when one is looked after by a live process,
        or is still there after `timeout_seconds`.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(descriptor, path, timeout_seconds)
        except BaseException:
            os.close(descriptor)
            raise
        claim = cls(descriptor)
        claim.record(None)
        return claim

    def record(self, server: ProcessIdentity | None) -> None:
        """Write down who looks after the directory and which process serves it, for others to read."""
        text = json.dumps({"owner": _fields(this_process()), "server": server and _fields(server)}).encode()
        os.pwrite(self.descriptor, text, 0)
        os.ftruncate(self.descriptor, len(text))

    def close(self) -> None:
        """Let go of this process's part in the claim; a server that inherited it still holds it."""
        os.close(self.descriptor)


def claimed(path: Path) -> bool:
    """Tell whether somebody, also in another process, holds the claim kept in the file `path`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _refuse_if_kept(descriptor, path.parent, too_late=time.monotonic() > deadline)
            time.sleep(_POLL_SECONDS)
        else:
            return


def _refuse_if_kept(descriptor: int, directory: Path, *, too_late: bool) -> None:
    """Raise AlreadyRunningError when a live process looks after the server, or it takes too long to go down."""
    owner, server = _recorded(descriptor)
    if owner and owner.alive() and (server is None or server.alive()):
        raise AlreadyRunningError(f"what runs in {directory} is looked after by process {owner.pid}; stop that first")
    if too_late:
        which = f" as process {server.pid}" if server else ""
        raise AlreadyRunningError(f"what ran in {directory} is still there{which}, left by one that is gone; end it")


def _recorded(descriptor: int) -> tuple[ProcessIdentity | None, ProcessIdentity | None]:
    """Return who looks after the directory and who serves it, as far as that is written down."""
    try:
        record = json.loads(os.pread(descriptor, _RECORD_BYTES_MAX, 0))
        return ProcessIdentity(**record["owner"]), ProcessIdentity(**record["server"]) if record["server"] else None
    except (ValueError, KeyError, TypeError):
        return None, None


def _fields(identity: ProcessIdentity) -> dict[str, int | str]:
    return {"pid": identity.pid, "started": identity.started}
