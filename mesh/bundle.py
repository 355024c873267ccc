"""What somebody who helps needs to see, in one file: settings, findings, the state of servers and databases, logs.

No row that holds what was learned is read, and what is written has no secrets: neither the values of settings that are
secret, nor what looks like a password, a token or a private key.
"""

from __future__ import annotations

import io
import platform
import re
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from psycopg import sql

from mesh.health.finding import Finding
from shared.errors import AlreadyRunningError, FlockloreError
from shared.inspection import Database, connected, revision, row_counts
from shared.version import VERSION

LOG_BYTES_MAX: Final = 1_000_000
"""The end of each log."""

ROWS_MAX: Final = 500

_LOOKS_SECRET: Final = re.compile(
    r"(?P<url>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)"
    r"|(?P<bearer>\b[Bb]earer\s+)[\w.~+/=-]{8,}"
    r"|(?P<named>\b[\w.-]*(?:password|passwd|secret|token|api_?key)[\w.-]*[\"']?\s*[=:]\s*[\"']?)[^\s\"',;}&*]{4,}"
    r"|\bS[AOUNC][A-Z2-7]{56}\b"
    r"|\bey[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"
    r"|-----BEGIN[^-]*PRIVATE KEY-----[\s\S]*?-----END[^-]*PRIVATE KEY-----",
    re.IGNORECASE,
)
"""Passwords in URLs, bearer tokens, what is called a secret, seeds of NATS, JSON web tokens, private keys in PEM."""

_TABLES: Final = {
    "workers": "SELECT * FROM workers ORDER BY name",
    "leaders": "SELECT * FROM lock_history ORDER BY epoch DESC",
    "locks": "SELECT * FROM distributed_locks ORDER BY lock_name",
    "queues": "SELECT * FROM job_queues ORDER BY 1",
    "jobs": "SELECT queue, state, worker AS kind, count(*), max(attempt) AS attempts FROM oban_jobs GROUP BY 1, 2, 3",
    "schedule_runs": "SELECT * FROM schedule_runs ORDER BY 1",
}
"""What has rows without anything that was learned, and without what jobs were given."""


class Scrubber:
    """Takes secrets out of texts: those it is told, and what looks like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._known = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)  # noqa: PLR2004 - a shorter one is a word like any other

    def clean(self, text: str) -> str:
        """Return the text with `***` where a secret was."""
        for secret in self._known:
            text = text.replace(secret, "***")
        return _LOOKS_SECRET.sub(_without, text)


def write(file: Path, parts: Mapping[str, Callable[[], str]], scrubber: Scrubber) -> list[str]:
    """Write the parts into a compressed archive that is this user's alone; returns the names of what is in it.

    A part that cannot be had is a file that says why. AlreadyRunningError when the file exists.
    """
    written = []
    try:
        descriptor = file.open("xb")
    except FileExistsError:
        raise AlreadyRunningError(f"{file} exists; name another") from None
    with descriptor, tarfile.open(fileobj=descriptor, mode="w:gz") as archive:
        file.chmod(0o600)
        for name, part in parts.items():
            try:
                shown, body = name, part()
            except (FlockloreError, OSError) as error:
                shown, body = f"{name}.missing", str(error)
            content = scrubber.clean(body).encode()
            header = tarfile.TarInfo(f"flocklore-support/{shown}")
            header.size, header.mtime, header.mode = len(content), int(time.time()), 0o600
            archive.addfile(header, io.BytesIO(content))
            written.append(shown)
    return written


def about() -> str:
    """Of which release, on which system, when."""
    return as_document(
        {
            "flocklore": VERSION,
            "python": platform.python_version(),
            "system": platform.platform(),
            "at": datetime.now(UTC),
        }
    )


def findings_document(found: Iterable[Finding]) -> str:
    """What `flocklore doctor` says."""
    return as_document(list(found))


def settings_document(settings: Mapping[str, Iterable[tuple[str, str, str]]]) -> str:
    """Rows of (key, value, origin) by daemon, secrets masked."""
    return as_document(
        {
            daemon: {key: {"value": value, "origin": origin} for key, value, origin in rows}
            for daemon, rows in settings.items()
        }
    )


def database_document(database: Database) -> str:
    """The schema, how many rows each table has, and what the processes on it do."""
    with connected(database.url) as connection:
        document: dict[str, Any] = {"kind": database.kind, "schema": revision(connection)}
        if database.kind is not None:
            document["rows"] = row_counts(connection)
            for name, statement in _TABLES.items():
                cursor = connection.execute(sql.SQL(statement + " LIMIT {}").format(sql.Literal(ROWS_MAX)))
                columns = [column.name for column in cursor.description or ()]
                document[name] = [dict(zip(columns, row, strict=True)) for row in cursor]
    return as_document(document)


def end_of(log: Path) -> str:
    """The last of a log, from the beginning of a line."""
    size = log.stat().st_size
    with log.open("rb") as file:
        file.seek(max(0, size - LOG_BYTES_MAX))
        text = file.read().decode("utf-8", "replace")
    return text.partition("\n")[2] if size > LOG_BYTES_MAX else text


def _without(found: re.Match[str]) -> str:
    return next((kept for kept in found.groups() if kept), "") + "***"


def as_document(value: Any) -> str:
    """Show a value for people and programs."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()
