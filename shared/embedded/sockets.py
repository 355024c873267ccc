"""A private directory for a unix socket whose path the kernel accepts."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from shared.embedded.accounts import Account
from shared.errors import ConfigurationError

# sun_path has 108 bytes on Linux and 104 on macOS, the last one a zero.
_PATH_BYTES_MAX = 103
# Not $TMPDIR: every process, whatever its environment, must come to the same place.
_SHORT_PARENT = Path("/tmp")  # noqa: S108 - made exclusively, and its owner and mode are checked


def socket_directory(directory: Path, socket_name: str) -> Path:
    """Return where the socket goes: `directory` itself, or a short path derived from it when clients cannot use it."""
    # To libpq a comma separates hosts.
    if len(bytes(directory / socket_name)) <= _PATH_BYTES_MAX and "," not in str(directory):
        return directory
    digest = hashlib.blake2b(bytes(directory), digest_size=8).hexdigest()
    return _SHORT_PARENT / f"flocklore-{digest}"


def require_private(directory: Path, account: Account) -> None:
    """Make `directory` for `account` alone; ConfigurationError when it is there and somebody else could be in it."""
    try:
        directory.mkdir(mode=0o700)
        account.give(directory)
    except FileExistsError:
        status = directory.lstat()
        if (
            not stat.S_ISDIR(status.st_mode)
            or status.st_uid != account.user_id
            or stat.S_IMODE(status.st_mode) != 0o700  # noqa: PLR2004
        ):
            raise ConfigurationError(
                f"{directory} exists and is not a private directory of user id {account.user_id}: "
                "remove it, or choose a shorter --state-dir"
            ) from None
