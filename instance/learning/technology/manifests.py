"""Which files are manifests and lock files, and who reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from instance.learning.technology import cargo, golang, gradle, maven, mix, npm, npm_locks, pypi, pypi_locks, setup_py
from instance.learning.technology.dependency import Manifest
from instance.learning.technology.documents import UnreadableError
from instance.learning.technology.places import counts_as_manifest

MANIFEST_CHARACTERS_MAX: Final = 500_000
LOCK_CHARACTERS_MAX: Final = 16_000_000
Reader = Callable[[str, str], Manifest]

_MANIFESTS: Final = MappingProxyType[str, Reader](
    {
        "package.json": npm.read_package_json,
        "pnpm-workspace.yaml": npm.read_pnpm_workspace,
        "pyproject.toml": pypi.read_pyproject,
        "setup.cfg": pypi.read_setup_cfg,
        "setup.py": setup_py.read_setup_py,
        "Pipfile": pypi.read_pipfile,
        "Cargo.toml": cargo.read_cargo_toml,
        "mix.exs": mix.read_mix_exs,
        "go.mod": golang.read_go_mod,
        "pom.xml": maven.read_pom,
        "gradle.properties": gradle.read_properties,
        "libs.versions.toml": gradle.read_version_catalog,
    }
)
_LOCKS: Final = MappingProxyType[str, Reader](
    {
        "package-lock.json": npm_locks.read_package_lock,
        "npm-shrinkwrap.json": npm_locks.read_package_lock,
        "yarn.lock": npm_locks.read_yarn_lock,
        "pnpm-lock.yaml": npm_locks.read_pnpm_lock,
        "Pipfile.lock": pypi_locks.read_pipfile_lock,
        "poetry.lock": pypi_locks.read_toml_lock,
        "uv.lock": pypi_locks.read_toml_lock,
        "pdm.lock": pypi_locks.read_toml_lock,
        "pylock.toml": pypi_locks.read_toml_lock,
        "Cargo.lock": cargo.read_cargo_lock,
        "mix.lock": mix.read_mix_lock,
        "go.sum": golang.read_go_sum,
    }
)
_GRADLE = (".gradle", ".gradle.kts")  # a module may name its build file after itself
_REQUIREMENTS = re.compile(r"(?:^|/)(?:[\w.-]*requirements[\w.-]*|requirements/[\w.-]+)\.(?:txt|in)$")


def is_manifest(path: str) -> bool:
    """Tell whether a file (posix path, relative to the root) is worth handing to `technologies`."""
    return _reader(path) is not None and counts_as_manifest(path)


def read_manifest(path: str, source: str) -> Manifest:
    """Read one manifest or lock file, whatever is in it; raises `UnreadableError` when it is not what its name says."""
    reader = _reader(path)
    if reader is None:
        raise UnreadableError("no manifest is called so")
    if len(source) > (LOCK_CHARACTERS_MAX if path.rpartition("/")[2] in _LOCKS else MANIFEST_CHARACTERS_MAX):
        raise UnreadableError("too large")
    return reader(path, source)


def _reader(path: str) -> Reader | None:
    name = path.rpartition("/")[2]
    if name.endswith(_GRADLE):
        return gradle.read_build_gradle
    return _MANIFESTS.get(name) or _LOCKS.get(name) or (pypi.read_requirements if _REQUIREMENTS.search(path) else None)
