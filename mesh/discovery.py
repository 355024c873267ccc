"""What is already on this machine and worth studying when nobody named a directory."""

from __future__ import annotations

import importlib.metadata
import sysconfig
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mesh.plan import Workspace

PACKAGES_STUDIED = 2
# Compiled packages bring more than what is written in Python; below a third they are not about Python.
_PYTHON_SHARE_MIN = 1 / 3
_LEFT_OUT = frozenset({"pip", "setuptools", "wheel", "flocklore"})


@dataclass(frozen=True, slots=True)
class _Library:
    name: str
    directory: Path
    python_bytes: int


def installed_workspaces(libraries: int = PACKAGES_STUDIED) -> list[Workspace]:
    """Return the Python standard library and the largest libraries written in Python in this environment."""
    standard = Path(sysconfig.get_path("stdlib"))
    found = filter(None, map(_library, importlib.metadata.distributions()))
    largest = sorted(found, key=lambda library: (-library.python_bytes, library.name))[:libraries]
    return [
        Workspace("python:stdlib", "stdlib", standard),
        *(Workspace(f"python:{library.name}", library.name, library.directory) for library in largest),
    ]


def _library(distribution: importlib.metadata.Distribution) -> _Library | None:
    """Measure an installed distribution by its record; None when it is not a library written in Python."""
    name = distribution.name.lower()
    all_bytes = 0
    python_bytes: Counter[str] = Counter()
    for file in distribution.files or ():
        all_bytes += file.size or 0
        if file.suffix == ".py" and len(file.parts) > 1:
            python_bytes[file.parts[0]] += file.size or 0
    if name in _LEFT_OUT or not python_bytes or python_bytes.total() < all_bytes * _PYTHON_SHARE_MIN:
        return None
    package, _ = python_bytes.most_common(1)[0]
    return _Library(name, Path(str(distribution.locate_file(package))), python_bytes.total())
