"""Cargo: `Cargo.toml`, with what a workspace offers its members, and `Cargo.lock`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from instance.learning.technology.dependency import INHERITED, LOCAL, Manifest, Scope
from instance.learning.technology.documents import Table, read_toml, rows, table, text

ECOSYSTEM: Final = "cargo"
_SCOPES = {
    "dependencies": Scope.RUNTIME,
    "build-dependencies": Scope.BUILD,
    "build_dependencies": Scope.BUILD,
    "dev-dependencies": Scope.DEV,
    "dev_dependencies": Scope.DEV,
}


def read_cargo_toml(path: str, source: str) -> Manifest:
    """Read a package or a workspace; a renamed crate goes by its registry name, one with a path is local."""
    document = read_toml(source)
    manifest = Manifest(ECOSYSTEM, path)
    manifest.call_own(text(table(document.get("package")).get("name")))
    for part in _parts(document):
        for key, scope in _SCOPES.items():
            for name, value in table(part.get(key)).items():
                _add(manifest, name, value, scope)
    for name, value in table(table(document.get("workspace")).get("dependencies")).items():
        manifest.offers[name] = _spec(value)
    return manifest


def _parts(document: Table) -> Iterator[Table]:
    """Yield the document and its parts for single platforms."""
    yield document
    for target in table(document.get("target")).values():
        yield table(target)


def _add(manifest: Manifest, name: str, value: object, scope: Scope) -> None:
    entry = table(value)
    is_optional = entry.get("optional") is True and scope is Scope.RUNTIME
    manifest.add(text(entry.get("package")) or name, _spec(value), Scope.OPTIONAL if is_optional else scope)


def _spec(value: object) -> str:
    entry = table(value)
    if entry.get("workspace") is True:
        return INHERITED
    if "path" in entry:
        return LOCAL
    return text(value) or text(entry.get("version")) or text(entry.get("git"))


def read_cargo_lock(path: str, source: str) -> Manifest:
    """Read `Cargo.lock`; a package without a source is the workspace's own."""
    manifest = Manifest(ECOSYSTEM, path, locks=True)
    for entry in rows(read_toml(source).get("package")):
        package = table(entry)
        if "source" in package:
            manifest.add(text(package.get("name")), "", Scope.INDIRECT, text(package.get("version")))
        else:
            manifest.call_own(text(package.get("name")))
    return manifest
