"""What manifests say a repository builds: programs, libraries and places for plugins. Hostile text says nothing."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

_CONSOLE_SCRIPTS = re.compile(r"(?:console|gui)_scripts\b")
_PACKAGES = re.compile(r"^\s*(?:packages|py_modules)\s*=", re.MULTILINE)
_ESCRIPT = re.compile(r"\bescript:")
_HEX_PACKAGE = re.compile(r"\bpackage:\s*\w|def[p]?\s+package\b")
Test = Callable[[str], bool]


def executables(documents: Mapping[str, str]) -> Iterator[str]:
    """Yield the manifests that name a program."""
    return _saying(documents, _EXECUTABLE)


def libraries(documents: Mapping[str, str]) -> Iterator[str]:
    """Yield the manifests that publish something to import."""
    return _saying(documents, _LIBRARY)


def extension_points(documents: Mapping[str, str]) -> Iterator[str]:
    """Yield the manifests that register plugins: entry points that are no programs, Java's service files."""
    yield from (path for path in documents if "META-INF/services/" in path)
    yield from _saying(documents, {"pyproject.toml": _groups})


def _saying(documents: Mapping[str, str], tests: Mapping[str, Test]) -> Iterator[str]:
    for path, text in documents.items():
        test = tests.get(path.rpartition("/")[2])
        if test is not None and test(text):
            yield path


def _groups(text: str) -> bool:
    """Tell whether entry points are registered that are no programs."""
    document = _toml(text)
    return bool(_inside(document, "project", "entry-points") or _inside(document, "tool", "poetry", "plugins"))


def _pyproject_program(text: str) -> bool:
    document = _toml(text)
    ways = (("project", "scripts"), ("project", "gui-scripts"), ("tool", "poetry", "scripts"))
    return any(_inside(document, *way) for way in ways)


def _pyproject_library(text: str) -> bool:
    """Tell whether a distribution is built that is not marked as private."""
    document = _toml(text)
    named = _inside(document, "project", "name") or _inside(document, "tool", "poetry", "name")
    return bool(named) and bool(_inside(document, "build-system")) and "Private ::" not in text


def _npm_library(text: str) -> bool:
    document = _json(text)
    return document.get("private") is not True and any(document.get(key) for key in ("main", "module", "exports"))


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _inside(document: Any, *way: str) -> Any:
    for key in way:
        document = document.get(key) if isinstance(document, dict) else None
    return document


_EXECUTABLE: Mapping[str, Test] = MappingProxyType(
    {
        "pyproject.toml": _pyproject_program,
        "setup.py": lambda text: bool(_CONSOLE_SCRIPTS.search(text)),
        "setup.cfg": lambda text: bool(_CONSOLE_SCRIPTS.search(text)),
        "package.json": lambda text: bool(_json(text).get("bin")),
        "Cargo.toml": lambda text: bool(_toml(text).get("bin")),
        "mix.exs": lambda text: bool(_ESCRIPT.search(text)),
    }
)
_LIBRARY: Mapping[str, Test] = MappingProxyType(
    {
        "pyproject.toml": _pyproject_library,
        "setup.py": lambda text: bool(_PACKAGES.search(text)),
        "setup.cfg": lambda text: bool(_PACKAGES.search(text)),
        "package.json": _npm_library,
        "Cargo.toml": lambda text: bool(_toml(text).get("lib")),
        "mix.exs": lambda text: bool(_HEX_PACKAGE.search(text)),
    }
)
