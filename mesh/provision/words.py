"""Passwords and tokens that nobody has to think of, kept in one file from then on."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from mesh.identities.files import write_private
from shared.errors import ConfigurationError

WORDS_FILE: Final = "words.json"
_BYTES: Final = 24
"""Of chance in each; written as letters a-f and digits, so it stands in a URL and in SQL as it is."""


class Words(Struct, frozen=True):
    """Everything that is a secret because of its text alone; the file they are kept in is as secret."""

    superuser: str
    """The password of the administrator of PostgreSQL."""
    routes: str
    """What NATS servers of a cluster show each other."""
    databases: dict[str, str] = {}
    """The password of the role that owns a database, by its name."""
    tokens: dict[str, str] = {}
    """What who asks a daemon over HTTP sends, by the name of the token."""


def keep_words(directory: Path, databases: Iterable[str], tokens: Iterable[str]) -> Words:
    """Return the words kept in a directory, with new ones for what has none yet; ConfigurationError if unreadable."""
    path = directory / WORDS_FILE
    kept = _read(path)
    known = kept or Words(_word(), _word())
    words = msgspec.structs.replace(
        known, databases=_with_all(known.databases, databases), tokens=_with_all(known.tokens, tokens)
    )
    if words != kept:
        write_private(path, msgspec.json.format(msgspec.json.encode(words), indent=2).decode() + "\n")
    return words


def _read(path: Path) -> Words | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Words)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{path} cannot be read ({error}); restore it from a backup") from error


def _with_all(known: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    return known | {name: _word() for name in names if name not in known}


def _word() -> str:
    return secrets.token_hex(_BYTES)
