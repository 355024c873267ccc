"""What is wrong with a directory of identities, each with how to mend it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from mesh.health.finding import Finding, error, ok, warning
from mesh.identities.certificates import days_left
from mesh.identities.configuration import AUTHORIZATION_FILE
from mesh.identities.office import Office
from mesh.identities.server import require_valid, running
from shared.embedded.ports import LOOPBACK_HOSTS
from shared.errors import ConfigurationError

_DAYS_MIN = 30
_PUBLIC = stat.S_IRWXG | stat.S_IRWXO


def inspect(office: Office) -> Iterator[Finding]:
    """Everything there is to say of it, the good as well."""
    yield _secrecy(office.directory)
    yield _configuration(office)
    yield _accepted(office.directory)
    yield _encryption(office)
    pid = running(office.directory)
    if pid is None:
        yield warning("server", "no server runs on it here", f"nats-server -c {office.directory / 'nats.conf'}")
    else:
        yield ok("server", f"process {pid} runs on it")


def _secrecy(directory: Path) -> Finding:
    # What the server keeps in it is its own affair, behind the directory's door.
    files = [directory, *(path for part in ("keys", "credentials", "tls") for path in (directory / part).glob("*"))]
    public = [str(path) for path in files if path.stat().st_mode & _PUBLIC]
    if public:
        return error("secrecy", f"others may read {', '.join(public)}", "chmod go-rwx, then rotate who was read")
    return ok("secrecy", "only their owner reads the files")


def _configuration(office: Office) -> Finding:
    """Tokens differ each time they are signed, so only the list of keys can be compared."""
    path = office.directory / AUTHORIZATION_FILE
    if not path.exists():
        return error("identities", f"there is no {path}", "flocklore nats refresh")
    if office.registry.operator is None and path.read_text(encoding="utf-8") != office.expected():
        return error("identities", f"{path} is not what this release makes of the registry", "flocklore nats refresh")
    return ok("identities", f"{len(office.registry.members)} identities")


def _accepted(directory: Path) -> Finding:
    try:
        require_valid(directory)
    except ConfigurationError as refusal:
        return error("nats.conf", str(refusal), "undo the last change by hand, or `flocklore nats refresh`")
    return ok("nats.conf", "nats-server accepts it")


def _encryption(office: Office) -> Finding:
    server, path = office.registry.server, office.directory / "tls" / "server.pem"
    if not server.tls:
        if server.host in LOOPBACK_HOSTS:
            return ok("encryption", "none, and only this machine reaches it")
        return warning("encryption", f"none, and it listens on {server.host}", "make identities anew with --tls")
    days = days_left(path)
    if days < _DAYS_MIN:
        return error("encryption", f"{path} is valid for less than {_DAYS_MIN} days", "sign a new one with tls/ca.key")
    return ok("encryption", f"by a certificate valid for {days} days at least")
