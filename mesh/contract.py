"""What sets the code, the committed schemas and the released ones apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from schemas.compatibility import breakages
from schemas.export import JSON_DIRECTORY, generated_files

RELEASED_DIRECTORY: Final = "released"
_REGENERATE: Final = "differs from the code; run `flocklore schema export` and commit"
_REMOVED: Final = "message removed; what was released stays until its next version is out for a release"


class Difference(NamedTuple):
    """One place of the contract that is not as it must be; `path` is the place inside the schema."""

    file: str
    path: str
    problem: str


def differences(directory: Path) -> list[Difference]:
    """Compare generated files with those below `directory`, and with each version in `directory/released`."""
    generated = generated_files()
    return [*_outdated(directory, generated), *_broken(directory / RELEASED_DIRECTORY, generated)]


def _outdated(directory: Path, generated: dict[str, bytes]) -> Iterator[Difference]:
    committed = {path.relative_to(directory).as_posix() for path in directory.glob(f"{JSON_DIRECTORY}/*")}
    for name in sorted(committed - generated.keys()):
        yield Difference(name, "$", "made by no code; delete it")
    for name, text in generated.items():
        path = directory / name
        if not path.exists() or path.read_bytes() != text:
            yield Difference(name, "$", _REGENERATE)


def _broken(released: Path, generated: dict[str, bytes]) -> Iterator[Difference]:
    for path in sorted(released.glob("*/*")):
        name = path.relative_to(released.parent).as_posix()
        now = generated.get(f"{JSON_DIRECTORY}/{path.name}")
        if now is None:
            yield Difference(name, "$", _REMOVED)
            continue
        for breakage in breakages(msgspec.json.decode(path.read_bytes()), msgspec.json.decode(now)):
            yield Difference(name, *breakage)
