"""Where Flocklore keeps what it must not lose."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from shared.errors import ConfigurationError

STATE_VARIABLE = "FLOCKLORE_STATE_DIR"
ROOT_STATE = Path("/var/lib/flocklore")


def state_path(override: str | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the state is, or would be: `override`, else the environment, else the usual place."""
    chosen = override or environment.get(STATE_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else _usual_place()


def state_directory(override: str | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of `state_path`, made if it was missing; ConfigurationError when it cannot be made.

    For root it is readable by all, because PostgreSQL refuses to run as root and must still reach it.
    """
    path = state_path(override, environment)
    try:
        make_directory(path)
    except OSError as error:
        raise ConfigurationError(
            f"{STATE_VARIABLE}: cannot make {path} ({error.strerror}); name a directory you may write to"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{STATE_VARIABLE}: {path} is another user's; name a directory you may write to")
    return path


def make_directory(path: Path) -> None:
    """Make a directory and its missing parents: this user's alone, or for root readable by a server's user."""
    mode = 0o755 if os.geteuid() == 0 else 0o700
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=mode, exist_ok=True)
        # mkdir subtracts the umask; what we made ourselves we may set.
        directory.chmod(mode)


def _usual_place() -> Path:
    if os.geteuid() == 0:
        return ROOT_STATE
    # Imported here: a state directory is nearly always named, and this import is not free.
    import platformdirs  # noqa: PLC0415

    return platformdirs.user_data_path("flocklore")
