"""What must hold before a database is moved: each check says what it found, or raises what a person can do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from shared.errors import AlreadyRunningError, ConfigurationError, FlockloreError, TransientError, UsageError
from shared.inspection import Kind, migrations_of
from shared.migrations import known_revisions
from shared.move.progress import moving
from shared.move.target import Found, Target
from shared.move.users import in_use

VERSION_NUMBER_MIN: Final = 150_000
ENCODING: Final = "UTF8"


class TablePlan(Struct, frozen=True, kw_only=True):
    """One table at the source; its size is with indexes. `changed`: since an earlier run copied it."""

    table: str
    rows: int
    size_bytes: int
    state: Literal["copy", "copied", "changed"]


class Situation(Struct, frozen=True, kw_only=True):
    """What both ends are like; `free_bytes` is None where it cannot be known."""

    database: str
    kind: Kind | None
    schema: str | None
    version_number: int
    version: str
    users: list[str]
    tables: list[TablePlan]
    target: Target
    found: Found
    free_bytes: int | None
    restart: bool

    @property
    def rows(self) -> int:
        """Rows still to be copied."""
        return sum(table.rows for table in self.tables if table.state != "copied")

    @property
    def size_bytes(self) -> int:
        """Bytes still to be copied, with indexes."""
        return sum(table.size_bytes for table in self.tables if table.state != "copied")

    @property
    def needed_bytes(self) -> int:
        """Space at the target: the data, and the same once more for the log that is written ahead of it."""
        return 2 * self.size_bytes


class Check(Struct, frozen=True, kw_only=True):
    """One thing looked at."""

    check: str
    level: Literal["ok", "error"]
    found: str


def examine(situation: Situation) -> tuple[list[Check], FlockloreError | None]:
    """Check everything; beside it the first reason why the move cannot be done."""
    findings: list[Check] = []
    refusals: list[FlockloreError] = []
    for name, check in _CHECKS.items():
        try:
            findings.append(Check(check=name, level="ok", found=check(situation)))
        except FlockloreError as error:
            findings.append(Check(check=name, level="error", found=str(error)))
            refusals.append(error)
    return findings, refusals[0] if refusals else None


def _unused(now: Situation) -> str:
    if now.users:
        raise in_use(now.database, now.users)
    return "nobody uses the source"


def _source(now: Situation) -> str:
    if now.kind is None or now.schema is None:
        raise ConfigurationError(f"{now.database} is no database of an instance or of centralcloud")
    known = known_revisions(migrations_of(now.kind))
    if now.schema not in known:
        raise ConfigurationError(
            f"{now.database} is at schema {now.schema}, this release knows up to {known[-1]}: upgrade Flocklore"
        )
    return f"{_article(now.kind)} at schema {now.schema}"


def _versions(now: Situation) -> str:
    for number, version in ((now.version_number, now.version), (now.found.version_number, now.found.version)):
        if number < VERSION_NUMBER_MIN:
            raise ConfigurationError(f"a server is PostgreSQL {version}; Flocklore needs 15 or later on both ends")
    return f"PostgreSQL {now.version} to {now.found.version}"


def _target(now: Situation) -> str:
    name, found = now.target.name, now.found
    if not found.exists:
        return f"{name} is not there and will be created"
    if found.begun:
        return _begun(now)
    if found.relations:
        what = f"{_article(found.kind)} at schema {found.revision}" if found.kind else "somebody else's"
        raise AlreadyRunningError(
            f"the database {name} at the target is not empty ({what}); choose another name with --as, or drop it"
        )
    return f"{name} is there and empty"


def _begun(now: Situation) -> str:
    """Say how far an earlier run came, if it was one of the same database."""
    name, found = now.target.name, now.found
    if (found.kind, found.revision) != (now.kind, moving(now.schema or "")):
        raise ConfigurationError(
            f"in {name} at the target {_article(found.kind)} was begun, {found.revision}, and the source is "
            f"{_article(now.kind)} at {now.schema}; drop it, or choose another name with --as"
        )
    if now.restart:
        return f"{name} holds part of an earlier move and will be emptied"
    return f"{name} holds {len(found.copied)} tables of an earlier run, which goes on"


def _unchanged(now: Situation) -> str:
    if changed := [table.table for table in now.tables if table.state == "changed"]:
        raise UsageError(
            f"the source was used since the earlier run: {', '.join(changed)} is not as it was copied, by its "
            "checksum; begin anew with --restart"
        )
    return "what was copied before is as it was" if now.found.copied and not now.restart else "nothing copied before"


def _permission(now: Situation) -> str:
    if not now.found.writable:
        raise ConfigurationError("the target takes no writes; name the primary server")
    if not now.found.permitted:
        what = "make a schema and tables in it: make it the owner" if now.found.exists else "create databases"
        cure = "" if now.found.exists else f": have {now.target.name} created for it, empty and in UTF8"
        raise ConfigurationError(f"--to: its user may not {what}{cure}")
    return "its user may make what is needed"


def _encoding(now: Situation) -> str:
    if now.found.encoding != ENCODING:
        raise ConfigurationError(
            f"the target writes text in {now.found.encoding}; create {now.target.name} with "
            "`ENCODING 'UTF8' TEMPLATE template0` for us"
        )
    return ENCODING


def _vectors(now: Situation) -> str:
    if now.kind == "centralcloud":
        return "centralcloud keeps none"
    how = "in pgvector" if now.found.vector_available else "as bytes, there is no pgvector"
    return f"embeddings are not copied; an instance makes them anew, {how}"


def _space(now: Situation) -> str:
    needed = f"{now.needed_bytes / 2**20:.1f} MB needed"
    if now.free_bytes is None:
        return f"{needed}; what is free there cannot be known from here"
    free = f"{now.free_bytes / 2**20:.1f} MB free"
    if now.free_bytes < now.needed_bytes:
        raise TransientError(f"{needed} at the target, {free}; make space")
    return f"{needed}, {free}"


def _article(kind: Kind | None) -> str:
    return {"instance": "an instance's", "centralcloud": "centralcloud's", None: "nobody's"}[kind]


_CHECKS: Final[dict[str, Callable[[Situation], str]]] = {
    "users": _unused,
    "source": _source,
    "versions": _versions,
    "target": _target,
    "unchanged": _unchanged,
    "permission": _permission,
    "encoding": _encoding,
    "vectors": _vectors,
    "space": _space,
}
