"""Real repositories to measure on, fetched by package name and kept in a cache.

The names are data (`corpora.toml`). A repository holds at most `FILES_MAX` files of its language, chosen by their
paths alone, and the manifests that say what it calls its own modules; what no instance would study is left out.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.fetching import cache_directory, keep
from instance.analysis.filters import SNIFF_BYTES, refuses_content
from instance.analysis.languages import LANGUAGES
from instance.analysis.workspace import read_source, walk

FILES_MAX: Final = 600
_MANIFESTS: Final = frozenset(
    {"go.mod", "package.json", "Cargo.toml", "mix.exs", "pom.xml", "pyproject.toml", "setup.cfg", "requirements.txt"}
)
_DECLARATIONS: Final = (".d.ts", ".d.mts", ".d.cts", ".pyi")  # say again what the code says


class Source(NamedTuple):
    """One repository: a directory that holds what is studied of it, and an older release of the same, if any."""

    language: str
    name: str
    root: Path
    version: str
    older: Path | None


def languages() -> list[str]:
    """Return the languages there are repositories of."""
    return list(_catalogue())


@cache
def corpus(language: str) -> list[Source]:
    """Return the repositories of a language, fetching those not yet in the cache; says which cannot be had."""
    return list(_sources(language))


def main() -> None:
    """Print what there is of each language."""
    print(f"{'language':12} {'repository':24} {'version':26} {'files':>6} {'MB':>6}  older release")
    for language in languages():
        for _, name, root, version, older in corpus(language):
            sizes = [file.size_bytes for file in walk(root).files]
            megabytes = sum(sizes) / 1e6
            before = older.name if older is not None else "-"
            print(f"{language:12} {name:24} {version[:26]:26} {len(sizes):6} {megabytes:6.1f}  {before}", flush=True)


def _catalogue() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def _sources(language: str) -> Iterator[Source]:
    for registry, offers in _catalogue()[language].items():
        for offer in offers:
            releases = offers[offer] if isinstance(offers, dict) else [""]
            newest, *older = (_root(language, registry, offer, version) for version in releases)
            if newest is not None:
                yield Source(language, newest.parent.name, newest, newest.name, *older or [None])


def _root(language: str, registry: str, offer: str, version: str) -> Path | None:
    """Return where a release is kept, fetching it the first time; None when it cannot be had."""
    name, part = _divided(registry, offer)
    title = part.rpartition("/")[2] or name.removeprefix("@").replace("/", "-")
    home = cache_directory() / language / title
    kept = home / version if version else next(home.glob("*"), home / "-")
    if kept.is_dir():
        return kept
    return keep(registry, name, version, home, lambda tree: _pruned(tree / part, language))


def _divided(registry: str, offer: str) -> tuple[str, str]:
    """Return what to ask for, and the folder in it that is a project of its own ("": all of it)."""
    name, _, part = offer.partition("/") if registry == "debian" else (offer, "", "")
    return name, part


def _pruned(root: Path, language: str) -> Path:
    """Leave only what is studied, and manifests."""
    kept = set(_studied(root, language))
    for directory, _, files in os.walk(root, topdown=False):
        for file in files:
            path = Path(directory) / file
            if file not in _MANIFESTS and path not in kept:
                path.unlink()
        if not any(Path(directory).iterdir()):
            Path(directory).rmdir()
    return root


def _studied(root: Path, language: str) -> list[Path]:
    """Return the files to keep: a choice that is the same on every machine."""
    family = LANGUAGES[language].fingerprint_name
    paths = [
        file.path
        for file in walk(root).files
        if LANGUAGES[file.language].fingerprint_name == family and not file.path.endswith(_DECLARATIONS)
    ]
    paths.sort(key=lambda path: blake2b(path.encode(), digest_size=8).digest())
    readable = (path for path in paths if refuses_content(read_source(root, path)[:SNIFF_BYTES]) is None)
    return [root / path for path, _ in zip(readable, range(FILES_MAX), strict=False)]
