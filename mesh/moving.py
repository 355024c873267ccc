"""What `flocklore db move` is told, as the two ends of a move, and what is left to do after one."""

from __future__ import annotations

from typing import Final

import psycopg
from msgspec import structs
from psycopg.conninfo import conninfo_to_dict

from mesh.composition import load_settings
from mesh.database_work import valid_name
from mesh.databases import choose, embedded_directory, embedded_url, find_databases, start_for_this_command
from shared.config import Settings
from shared.embedded.databases import url_of
from shared.errors import UsageError
from shared.inspection import Database
from shared.move.ends import shown
from shared.move.plan import Move
from shared.move.target import MAINTENANCE, Target

EMBEDDED: Final = "embedded"
_SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg")


def ends(name: str | None, origin: str | None, to: str, new_name: str | None, *, dry_run: bool) -> Move:
    """Find both ends and have embedded servers run until the command ends; a dry run makes none.

    `origin` and `to` are addresses or `embedded`; without an `origin` it is DATABASE_URL, or else embedded.
    """
    settings = load_settings(None)
    if to != EMBEDDED:
        to = _complete("--to", to)
    source = _source(settings, name, origin)
    return Move(source=source, target=_target(settings, source, to, new_name, make=not dry_run))


def require_secret(option: str, address: str | None, instead: str) -> None:
    """Refuse a password on the command line, which everybody on the machine can read; raises `UsageError`."""
    if address and address != EMBEDDED and _parsed(option, address).get("password"):
        raise UsageError(
            f"{option}: every user of this machine can read a password on a command line; "
            f"put the address into {instead}, or the password into ~/.pgpass"
        )


def what_is_left(move: Move) -> list[str]:
    """Say how to switch to the new database, and how to be rid of the old one."""
    target = move.target
    switch = (
        f"DATABASE_URL={shown(target.address)}"
        if target.directory is None
        else f"without DATABASE_URL, with the state directory {target.directory.parent}"
    )
    old = shown(url_of(move.source.url, MAINTENANCE))
    return [
        f"start the daemon on the new one: {switch}",
        "never start one on the old one again: the two would go separate ways under one name",
        f"once the old one is not needed: DROP DATABASE {move.source.name}, at {old}",
    ]


def _source(settings: Settings, name: str | None, origin: str | None) -> Database:
    if origin is not None:
        settings = structs.replace(settings, database_url=None if origin == EMBEDDED else _complete("--from", origin))
    start_for_this_command(settings)
    return choose(find_databases(settings), name)


def _target(settings: Settings, source: Database, to: str, name: str | None, *, make: bool) -> Target:
    if to == EMBEDDED:
        return Target(
            url=embedded_url(settings, make=make),
            name=valid_name(name or source.name),
            directory=embedded_directory(settings),
        )
    named = str(_parsed("--to", to)["dbname"])
    return Target(url=to, name=valid_name(name or (source.name if named == MAINTENANCE else named)))


def _complete(option: str, address: str) -> str:
    """The address as libpq takes it, with a database that every server has where it names none."""
    return url_of(address, str(_parsed(option, address).get("dbname", MAINTENANCE)))


def _parsed(option: str, address: str) -> dict[str, object]:
    """Parse an address as libpq does; UsageError when it is none, without repeating it: it may hold a password."""
    scheme, separator, rest = address.partition("://")
    try:
        if separator and scheme in _SCHEMES:
            return dict(conninfo_to_dict(f"postgresql://{rest}"))
    except psycopg.ProgrammingError:
        pass
    raise UsageError(f"{option} takes `{EMBEDDED}` or an address like postgresql://user@host/database")
