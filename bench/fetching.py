"""Fetches the source of packages with the clients the user has set up, pip, npm and apt, and keeps it in a cache.

Nothing is built or installed, and no registry is named: each client asks where its own configuration says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

import platformdirs

CACHE_VARIABLE: Final = "FLOCKLORE_BENCH_CACHE"
_CLIENT_SECONDS_MAX: Final = 600
_REASON_CHARACTERS_MAX: Final = 200


class Unavailable(Exception):  # noqa: N818 - says what a package is
    """A package cannot be had here; the message is the client's own word."""


def cache_directory() -> Path:
    """Where fetched source is kept: the user's cache, or what `FLOCKLORE_BENCH_CACHE` names."""
    moved = os.environ.get(CACHE_VARIABLE)
    return Path(moved) if moved else platformdirs.user_cache_path("flocklore-bench")


def keep(registry: str, name: str, version: str, home: Path, prepare: Callable[[Path], Path]) -> Path | None:
    """Fetch a package and move what `prepare` makes of its tree to `home / version`; None when it cannot be had.

    A version may be "" where the registry offers one only. What is interrupted leaves nothing at `home`.
    """
    fetching = cache_directory() / "fetching"
    fetching.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=fetching) as directory:
        tree = Path(directory) / "source"
        tree.mkdir()
        try:
            fetched = _FETCHERS[registry](name, version, tree)
        except Unavailable as error:
            print(f"without {name} {version}: {error}", file=sys.stderr)
            return None
        prepared = prepare(tree)
        home.mkdir(parents=True, exist_ok=True)
        return prepared.rename(home / fetched)


def _from_pypi(name: str, version: str, to: Path) -> str:
    """Unpack the source distribution of a release, for its tests, or else the wheel."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(to)]
    try:
        _run([*command, "--no-binary", name, f"{name}=={version}"])
    except Unavailable:
        _run([*command, "--only-binary", ":all:", "--python-version", "3.13", f"{name}=={version}"])
    _unpack_all(to)
    return version


def _from_npm(name: str, version: str, to: Path) -> str:
    _run(["npm", "pack", "--silent", "--pack-destination", str(to), f"{name}@{version}"])
    _unpack_all(to)
    return version


def _from_debian(name: str, _version: str, to: Path) -> str:
    """Unpack the source of a package, in the version this Debian release has, without Debian's own part."""
    apt = _apt()
    _run(["apt-get", *apt, "--download-only", "--only-source", "source", name], directory=to)
    (description,) = to.glob("*.dsc")
    version = description.stem.partition("_")[2]
    for file in to.iterdir():
        if ".orig" not in file.name or file.suffix == ".asc":
            file.unlink()
    _unpack_all(to)
    return version


def _from_debian_binary(name: str, _version: str, to: Path) -> str:
    """Unpack a package that installs source; it is lifted out of the folders that only say where it is installed."""
    _run(["apt-get", "-o", "APT::Sandbox::User=root", "download", name], directory=to)
    (package,) = to.glob("*.deb")
    version = _run(["dpkg-deb", "--field", package.name, "Version"], directory=to).strip()
    _run(["dpkg-deb", "--extract", package.name, "."], directory=to)
    package.unlink()
    shutil.rmtree(to / "usr/share/doc", ignore_errors=True)
    while len(entries := list(to.iterdir())) == 1 and entries[0].is_dir():
        _lift(entries[0], to)
    return version


_FETCHERS: Final[Mapping[str, Callable[[str, str, Path], str]]] = MappingProxyType(
    {"pypi": _from_pypi, "npm": _from_npm, "debian": _from_debian, "debian-binary": _from_debian_binary}
)
"""Each unpacks a package in a version into an empty directory and returns the version; raises `Unavailable`."""


@cache
def _apt() -> list[str]:
    """Return the options with which apt knows the source packages of the user's own archives."""
    home = cache_directory() / "apt"
    for part in ("lists/partial", "archives/partial"):
        (home / part).mkdir(parents=True, exist_ok=True)
    line = "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)"
    (home / "sources.list").write_text(
        _run(["apt-get", "indextargets", "--format", line, "Created-By: Packages", "Origin: Debian"])
    )
    options = {
        "Dir::Etc::SourceList": home / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": home / "lists",
        "Dir::Cache": home,
        "Dir::Cache::Archives": home / "archives",
        "APT::Sandbox::User": "root",
    }
    arguments = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    _run(["apt-get", *arguments, "--quiet", "update"])
    return arguments


def _run(command: list[str], directory: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=_CLIENT_SECONDS_MAX, check=False
        )
    except FileNotFoundError:
        raise Unavailable(f"there is no {command[0]} on this machine") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} did not answer in {_CLIENT_SECONDS_MAX} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise Unavailable(f"{command[0]}: {said[-1][:_REASON_CHARACTERS_MAX]}")
    return done.stdout


def _unpack_all(directory: Path) -> None:
    """Replace every archive in a directory by what is in it; an archive's only folder is left out."""
    for archive in [file for file in directory.iterdir() if file.is_file()]:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(directory)  # noqa: S202 - zipfile keeps members below the directory
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(directory, filter=_harmless)  # noqa: S202 - the filter keeps members below it
        archive.unlink()
    entries = list(directory.iterdir())
    if len(entries) == 1 and entries[0].is_dir():
        _lift(entries[0], directory)


def _harmless(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    """Leave out links and whatever would land elsewhere."""
    return tarfile.data_filter(member, path) if member.isfile() or member.isdir() else None


def _lift(folder: Path, to: Path) -> None:
    aside = folder.rename(to / ".only")
    for entry in list(aside.iterdir()):
        shutil.move(entry, to / entry.name)
    aside.rmdir()
