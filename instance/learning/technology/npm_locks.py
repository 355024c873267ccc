"""The lock files of npm, yarn and pnpm: every package with the version installed, those at the top first."""

from __future__ import annotations

import re
from collections.abc import Iterator

from instance.learning.technology.dependency import Manifest, Scope
from instance.learning.technology.documents import Table, UnreadableError, read_json, read_yaml, table, text
from instance.learning.technology.npm import ECOSYSTEM

DEPTH_MAX = 100
_YARN_KEY = re.compile(r'^"?((?:@[^/@\s"]+/)?[^@\s",]+)@')
_YARN_VERSION = re.compile(r'^ {2}version:? "?([^"\s]+)"?$')
_YARN_LOCAL = "0.0.0-use.local"
_PNPM_KEY = re.compile(r"^/?((?:@[^/@]+/)?[^/@]+)[@/]([^(_]+)")


def read_package_lock(path: str, source: str) -> Manifest:
    """Read `package-lock.json` or `npm-shrinkwrap.json`, lock file versions 1 to 3."""
    document = read_json(source)
    manifest = Manifest(ECOSYSTEM, path, locks=True)
    packages = table(document.get("packages"))
    found = _packages(packages, manifest) if packages else _nested(document)
    for depth, name, version in sorted(found, key=lambda entry: entry[0]):
        del depth
        manifest.add(name, "", Scope.INDIRECT, version)
    return manifest


def _packages(packages: Table, manifest: Manifest) -> Iterator[tuple[int, str, str]]:
    for location, entry in packages.items():
        name = text(table(entry).get("name")) or location.rpartition("node_modules/")[2]
        if "node_modules/" not in location:  # the root or a package of the workspace
            manifest.call_own(name)
        elif table(entry).get("link") is not True:
            yield location.count("node_modules/"), name, text(table(entry).get("version"))


def _nested(document: Table) -> Iterator[tuple[int, str, str]]:
    waiting = [(1, table(document.get("dependencies")))]
    while waiting:
        depth, dependencies = waiting.pop()
        for name, entry in dependencies.items():
            version = text(table(entry).get("version"))
            if version and not version.startswith("file:"):
                yield depth, name, version
            if depth < DEPTH_MAX:
                waiting.append((depth + 1, table(table(entry).get("dependencies"))))


def read_yarn_lock(path: str, source: str) -> Manifest:
    """Read `yarn.lock`: the format of version 1 and the YAML of later ones share the lines that matter."""
    manifest = Manifest(ECOSYSTEM, path, locks=True)
    if "yarn lockfile" not in source and "__metadata:" not in source:
        raise UnreadableError("not a yarn lock file")
    name = ""
    for line in source.splitlines():
        if key := _YARN_KEY.match(line):
            name = "" if "@workspace:" in line else key[1]
        elif name and (version := _YARN_VERSION.match(line)):
            if version[1] != _YARN_LOCAL:
                manifest.add(name, "", Scope.INDIRECT, version[1])
            name = ""
    return manifest


def read_pnpm_lock(path: str, source: str) -> Manifest:
    """Read `pnpm-lock.yaml`, lock file versions 5 to 9."""
    manifest = Manifest(ECOSYSTEM, path, locks=True)
    for key in table(read_yaml(source).get("packages")):
        if isinstance(key, str) and (match := _PNPM_KEY.match(key)):
            manifest.add(match[1], "", Scope.INDIRECT, match[2])
    return manifest
