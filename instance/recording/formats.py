"""Which reader a file needs, and where agents keep their transcripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from instance.recording import claude, codex, junit, rows
from instance.recording.reading import Reader
from shared.errors import NotFoundError, UsageError

READERS: Final[Mapping[str, Reader]] = {
    "claude": claude.read,
    "codex": codex.read,
    "junit": junit.read,
    "jsonl": rows.read_json_lines,
    "csv": rows.read_csv,
}
AUTO: Final = "auto"

_SUFFIXES: Final = {"claude": ".jsonl", "codex": ".jsonl", "junit": ".xml", "jsonl": ".jsonl", "csv": ".csv"}
_LOOKED_AT_LINES: Final = 50
_LOOKED_AT_BYTES: Final = 1 << 18


class Source(NamedTuple):
    """A file and the reader it needs."""

    path: Path
    reader: Reader


class Place(NamedTuple):
    """A directory, and the form of everything in it."""

    path: Path
    form: str


def sources(paths: Iterable[Path], form: str = AUTO) -> list[Source]:
    """Find the files to read, in order of their names; raises `NotFoundError` and `UsageError`.

    Below a directory what is in no known form is passed over; a file that was named must be in one.
    """
    found: dict[Path, Reader] = {}
    for path in paths:
        if path.is_dir():
            found.update(_below(path, form))
        elif path.is_file():
            found[path] = READERS[_form_of(path, form)]
        else:
            raise NotFoundError(f"there is no file or directory {path}")
    return [Source(path, reader) for path, reader in sorted(found.items())]


def transcripts(environment: Mapping[str, str], home: Path) -> list[Place]:
    """Where Claude Code and Codex keep their transcripts, as far as there are any."""
    claude_home = environment.get("CLAUDE_CONFIG_DIR")
    codex_home = Path(environment.get("CODEX_HOME") or home / ".codex")
    claudes = [Path(claude_home)] if claude_home else [home / ".claude", home / ".config" / "claude"]
    places = [
        *(Place(path / "projects", "claude") for path in claudes),
        *(Place(codex_home / name, "codex") for name in ("sessions", "archived_sessions")),
    ]
    return [place for place in places if place.path.is_dir()]


def files(place: Place) -> Iterator[Path]:
    """The files below a directory whose names are of its form."""
    return (path for path in place.path.rglob(f"*{_SUFFIXES[place.form]}") if path.is_file())


def _below(directory: Path, form: str) -> Iterator[tuple[Path, Reader]]:
    if form != AUTO:
        yield from ((path, READERS[form]) for path in files(Place(directory, form)))
        return
    for path in directory.rglob("*"):
        known = guess(path) if path.suffix in _SUFFIXES.values() and path.is_file() else None
        if known is not None:
            yield path, READERS[known]


def _form_of(path: Path, form: str) -> str:
    known = form if form != AUTO else guess(path)
    if known is None:
        raise UsageError(f"what {path} holds is not clear; say it with --format: {', '.join(READERS)}")
    return known


def guess(path: Path) -> str | None:
    """Tell the form of a file by its name, or else by its first lines; None when neither tells."""
    if path.suffix == ".csv":
        return "csv"
    if path.name.startswith("rollout-") and path.suffix == ".jsonl":
        return "codex"
    try:
        with path.open("rb") as file:
            head = file.read(_LOOKED_AT_BYTES)
    except OSError:
        return None
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "junit" if b"<testsuite" in head else None
    return next(filter(None, map(_form_of_line, head.splitlines()[:_LOOKED_AT_LINES])), None)


def _form_of_line(line: bytes) -> str | None:
    try:
        told: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(told, dict):
        return None
    return next((form for form, is_one in _SIGNS.items() if is_one(told)), None)


_SIGNS: Final[Mapping[str, Callable[[dict[str, Any]], bool]]] = {
    "jsonl": lambda told: "job_type" in told,
    "codex": lambda told: "payload" in told and "type" in told,
    "claude": lambda told: "sessionId" in told and "type" in told,
}
