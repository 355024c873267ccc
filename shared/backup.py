"""Copies of a database in a file, by PostgreSQL's own pg_dump and pg_restore, and proof that a file is one.

A backup of centralcloud lets the instances forget what they sent, so it counts only once its file has been read to the
end; how far that reaches is read from the file itself, which is the one snapshot it holds.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, cast

import psycopg
from msgspec import Struct
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.embedded.cluster import environment, program
from shared.embedded.databases import url_of
from shared.errors import AlreadyRunningError, PermanentError
from shared.inspection import Database, connected, row_counts, scalar

_LINEAGE: Final = ("tenant", "instance", "epoch", "wm")
_NAME_BYTES_MAX: Final = 63

_LEFT_OUT: Final = ("--exclude-table=embeddings", "--exclude-extension=vector")
"""A cache that is made anew; the server that the file is restored on need not have the extension."""

_UNKNOWN_SETTING: Final = b"SET transaction_timeout = 0;\n"
"""The zero is the default of all servers that know it: those from 17 on."""

_CLIENTS: Final = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = %s AND pid <> pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend'
"""
_EXISTS: Final = "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = %s)"
_DURABLE: Final = """
    UPDATE watermarks SET durable_wm = least(wm, %(wm)s)
     WHERE (tenant, instance, epoch) = (%(tenant)s, %(instance)s, %(epoch)s) AND durable_wm < %(wm)s
"""


class Backup(Struct, frozen=True, kw_only=True):
    """A verified copy; `watermarks` is how many epochs of instances it lets forget what they sent."""

    database: str
    file: str
    size_bytes: int
    tables: int
    watermarks: int


class Restored(Struct, frozen=True, kw_only=True):
    """What was restored; `previous` is what the database that was there before is called now."""

    database: str
    previous: str | None
    rows: dict[str, int]


def back_up(database: Database, file: Path) -> Backup:
    """Write a database to `file`, read the file to its end, and mark what it holds as durable.

    AlreadyRunningError when the file exists, PermanentError when pg_dump or the verification fails: then there is no
    file, and nothing is marked.
    """
    unfinished = file.with_name(f"{file.name}.unfinished")
    _make_private(unfinished, file)
    try:
        _run("pg_dump", database.url, "--format=custom", *_LEFT_OUT, f"--file={unfinished}")
        tables = _verify(unfinished)
        watermarks = list(_watermarks(unfinished)) if database.kind == "centralcloud" else []
        _sync(unfinished)
        unfinished.rename(file)
        _sync(file.parent)
    finally:
        unfinished.unlink(missing_ok=True)
    _mark_durable(database.url, watermarks)
    return Backup(
        database=database.name,
        file=str(file),
        size_bytes=file.stat().st_size,
        tables=tables,
        watermarks=len(watermarks),
    )


def restore(server: str, file: Path, name: str) -> Restored:
    """Restore `file` as the database `name`; one that is there is renamed, never dropped.

    AlreadyRunningError when somebody is connected to it, PermanentError when the file cannot be restored.
    """
    moment = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    fresh, previous = (f"{name[: _NAME_BYTES_MAX - 24]}_{word}_{moment}" for word in ("restored", "before"))
    with connected(url_of(server, "postgres")) as admin:
        admin.autocommit = True
        _require_alone(admin, name)
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(fresh)))
        try:
            _load(url_of(server, fresh), file)
        except PermanentError:
            admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(fresh)))
            raise
        replaced = bool(scalar(admin, _EXISTS, name))
        if replaced:
            _require_alone(admin, name)
            _rename(admin, name, previous)
        _rename(admin, fresh, name)
    with connected(url_of(server, name)) as connection:
        return Restored(database=name, previous=previous if replaced else None, rows=row_counts(connection))


def _make_private(unfinished: Path, file: Path) -> None:
    if file.exists():
        raise AlreadyRunningError(f"{file} exists; name another file with --output")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _verify(file: Path) -> int:
    """Read a backup to its end; returns the number of tables in it."""
    contents = _restore_to_text(file, "--list").splitlines()
    _restore_to_text(file, f"--file={os.devnull}")
    return sum(" TABLE DATA " in line for line in contents)


def _watermarks(file: Path) -> Iterator[dict[str, Any]]:
    """Read the watermarks a backup holds: the rows of its COPY, names need no unescaping."""
    lines = iter(_restore_to_text(file, "--data-only", "--table=watermarks", "--file=-").split("\n"))
    columns: list[str] = []
    for line in lines:
        if line.startswith("COPY "):
            columns = [column.strip() for column in line.partition("(")[2].partition(")")[0].split(",")]
            break
    for line in lines:
        if line == r"\.":
            return
        row = dict(zip(columns, line.split("\t"), strict=True))
        yield {key: row[key] for key in _LINEAGE} | {"wm": int(row["wm"])}
    raise PermanentError(f"{file} does not hold the watermarks; is there enough space?")


def _mark_durable(url: str, watermarks: Sequence[dict[str, Any]]) -> None:
    if watermarks:
        with connected(url) as connection, connection.cursor() as cursor:
            cursor.executemany(_DURABLE, watermarks)


def _require_alone(admin: psycopg.Connection[Any], name: str) -> None:
    if clients := scalar(admin, _CLIENTS, name):
        raise AlreadyRunningError(f"{clients} clients use the database {name}; stop its daemon first")


def _rename(admin: psycopg.Connection[Any], old: str, new: str) -> None:
    admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))


def _load(url: str, file: Path) -> None:
    """Load a backup in one transaction, also into a server older than pg_restore, which sets what that does not know.

    As text from one program to the other; the file may be larger than the memory.
    """
    told, secret = _connection(url)
    psql = [str(program("psql")), *told, "--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1"]
    with (
        subprocess.Popen([str(program("pg_restore")), "--no-owner", "--no-privileges", "--file=-", str(file)],
                         env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading,
        subprocess.Popen(psql, env=environment() | secret, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE) as loading,
    ):  # fmt: skip
        read, write = cast("IO[bytes]", reading.stdout), cast("IO[bytes]", loading.stdin)
        with contextlib.suppress(BrokenPipeError), write:
            write.writelines(_understood(read))
        read.close()
        _require_success(loading, psql[0])
        _require_success(reading, "pg_restore")


def _understood(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Leave out the setting; it stands before all data."""
    is_head = True
    for line in lines:
        is_head = is_head and not line.startswith(b"COPY ")
        if not (is_head and line == _UNKNOWN_SETTING):
            yield line


def _require_success(process: subprocess.Popen[bytes], name: str) -> None:
    errors = process.stderr.read() if process.stderr is not None else b""
    if process.wait() != 0:
        raise _failure(name, errors)


def _run(name: str, url: str, *arguments: str) -> None:
    """Run a program on a database."""
    told, secret = _connection(url)
    _output([str(program(name)), *told, *arguments], secret)


def _connection(url: str) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment that lead to a database: the password where `ps` does not show it."""
    parameters: dict[str, Any] = conninfo_to_dict(url)
    password = parameters.pop("password", None)
    return [f"--dbname={make_conninfo(**parameters)}"], {"PGPASSWORD": str(password)} if password else {}


def _restore_to_text(file: Path, *arguments: str) -> str:
    return _output([str(program("pg_restore")), *arguments, str(file)], {})


def _output(command: Sequence[str], secret: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment() | secret, capture_output=True, check=False)
    if done.returncode != 0:
        raise _failure(command[0], done.stderr)
    return done.stdout.decode("utf-8", "replace")


def _failure(name: str, errors: bytes) -> PermanentError:
    reason = errors.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
    return PermanentError(f"{Path(name).name} failed: {reason[0]}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
