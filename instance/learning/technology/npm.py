"""npm: `package.json` and the catalogs of `pnpm-workspace.yaml`."""

from __future__ import annotations

from typing import Final

from instance.learning.technology.dependency import INHERITED, LOCAL, Manifest, Scope
from instance.learning.technology.documents import read_json, read_yaml, table, text

ECOSYSTEM: Final = "npm"
_SCOPES = {
    "dependencies": Scope.RUNTIME,
    "peerDependencies": Scope.PEER,
    "optionalDependencies": Scope.OPTIONAL,
    "devDependencies": Scope.DEV,
}
_LOCAL = ("workspace:", "file:", "link:", "portal:", "./", "../")


def read_package_json(path: str, source: str) -> Manifest:
    """Read what a package declares; every top-level key is a setting."""
    document = read_json(source)
    manifest = Manifest(ECOSYSTEM, path)
    manifest.call_own(text(document.get("name")))
    manifest.settings.update(f"package.json:{key}" for key in document)
    manifest.settings.add(f"packageManager:{text(document.get('packageManager')).partition('@')[0]}")
    meta = table(document.get("peerDependenciesMeta"))
    for key, scope in _SCOPES.items():
        for name, spec in table(document.get(key)).items():
            is_optional = key == "peerDependencies" and table(meta.get(name)).get("optional") is True
            _add(manifest, name, text(spec), Scope.OPTIONAL if is_optional else scope)
    return manifest


def read_pnpm_workspace(path: str, source: str) -> Manifest:
    """Read the versions a workspace offers its packages."""
    document = read_yaml(source)
    manifest = Manifest(ECOSYSTEM, path)
    catalogs = {"default": document.get("catalog"), **table(document.get("catalogs"))}
    for catalog, entries in catalogs.items():
        for name, spec in table(entries).items():
            manifest.offers[f"{catalog}:{name}"] = text(spec)
            if catalog == "default":
                manifest.offers[name] = text(spec)
    return manifest


def _add(manifest: Manifest, name: str, spec: str, scope: Scope) -> None:
    if spec.startswith("npm:"):  # an alias: the package behind it is what is installed
        name, _, spec = spec.removeprefix("npm:").rpartition("@") if "@" in spec[5:] else (spec[4:], "", "")
    elif spec.startswith("catalog:"):
        catalog = spec.removeprefix("catalog:")
        spec = f"{INHERITED} {catalog}:{name}" if catalog else INHERITED
    elif spec.startswith(_LOCAL):
        spec = LOCAL
    manifest.add(name, spec, scope)
