"""The account PostgreSQL runs as, which is never root, and whether that account can reach a directory."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigurationError

_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine; `name` is None for the caller itself, who needs no change of account."""

    name: str | None
    user_id: int
    group_ids: frozenset[int]

    def give(self, path: Path) -> None:
        """Make this account the owner of `path` (not following a symbolic link)."""
        if self.name:
            os.chown(path, self.user_id, pwd.getpwnam(self.name).pw_gid, follow_symlinks=False)

    def closed_parent(self, path: Path) -> Path | None:
        """Return the first directory on the way into `path` that this account may not pass, if any."""
        real = path.resolve()
        for directory in (*reversed(real.parents), real):
            if directory.is_dir() and not self._may_pass(directory.stat()):
                return directory
        return None

    def _may_pass(self, status: os.stat_result) -> bool:
        if self.user_id == status.st_uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid in self.group_ids:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def server_account() -> Account:
    """Return the account for PostgreSQL: the caller, or when that is root an existing unprivileged user."""
    if os.geteuid() != 0:
        return Account(None, os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        groups = {group.gr_gid for group in grp.getgrall() if name in group.gr_mem}
        return Account(name, entry.pw_uid, frozenset({entry.pw_gid, *groups}))
    raise ConfigurationError(
        f"PostgreSQL does not run as root and this machine has no user {' or '.join(_UNPRIVILEGED)}: "
        "run flocklore as a plain user, or set DATABASE_URL to a PostgreSQL of yours"
    )
