"""The lock files of Poetry, uv, PDM, Pipenv and of the standard `pylock.toml`."""

from __future__ import annotations

from instance.learning.technology.dependency import Manifest, Scope
from instance.learning.technology.documents import read_json, read_toml, rows, table, text
from instance.learning.technology.pypi import ECOSYSTEM

_NOT_LOCKED = frozenset({"virtual", "editable", "directory"})  # what uv calls the project itself


def read_toml_lock(path: str, source: str) -> Manifest:
    """Read `poetry.lock`, `uv.lock`, `pdm.lock` or `pylock.toml`."""
    document = read_toml(source)
    manifest = Manifest(ECOSYSTEM, path, locks=True)
    for entry in rows(document.get("package")) or rows(document.get("packages")):
        package = table(entry)
        if _NOT_LOCKED & table(package.get("source")).keys():
            manifest.call_own(text(package.get("name")))
        else:
            manifest.add(text(package.get("name")), "", Scope.INDIRECT, text(package.get("version")))
    return manifest


def read_pipfile_lock(path: str, source: str) -> Manifest:
    """Read `Pipfile.lock`."""
    document = read_json(source)
    manifest = Manifest(ECOSYSTEM, path, locks=True)
    for section in ("default", "develop"):
        for name, entry in table(document.get(section)).items():
            manifest.add(name, "", Scope.INDIRECT, text(table(entry).get("version")).removeprefix("=="))
    return manifest
