"""Go: `go.mod` with replacements and exclusions, and `go.sum`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from instance.learning.technology.dependency import LOCAL, Manifest, Scope
from instance.learning.technology.documents import UnreadableError
from instance.learning.technology.versions import newest

ECOSYSTEM: Final = "golang"
_BLOCK = re.compile(r"^(module|require|replace|exclude)\s*\($")
_LINE = re.compile(r"^(module|require|replace|exclude)\s+(.+)$")
_SUM = re.compile(r"^(\S+) (v\S+?) h1:\S+$", re.MULTILINE)


def read_go_mod(path: str, source: str) -> Manifest:
    """Read what a module requires: since Go 1.17 that is every module of its build, with its version."""
    directives = list(_directives(source))
    if not any(verb == "module" for verb, _ in directives):
        raise UnreadableError("a go.mod without a module line")
    manifest = Manifest(ECOSYSTEM, path)
    replaced = dict(_replacement(rest) for verb, rest in directives if verb == "replace" and "=>" in rest)
    excluded = {tuple(rest.split()[:2]) for verb, rest in directives if verb == "exclude"}
    for verb, rest in directives:
        name, version = (*rest.partition("//")[0].replace('"', "").split(), "", "")[:2]
        if verb == "module":
            manifest.call_own(name)
        elif verb == "require" and (name, version) not in excluded:
            scope = Scope.INDIRECT if "// indirect" in rest else Scope.RUNTIME
            name, version = replaced.get(name, (name, version))
            manifest.add(name, version, scope, version if version != LOCAL else None)
    return manifest


def _directives(source: str) -> Iterator[tuple[str, str]]:
    verb = ""
    for raw in source.splitlines():
        line = raw.strip()
        if block := _BLOCK.match(line):
            verb = block[1]
        elif line == ")":
            verb = ""
        elif line and not line.startswith("//"):
            match = _LINE.match(line)
            if verb:
                yield verb, line
            elif match:
                yield match[1], match[2]


def _replacement(rest: str) -> tuple[str, tuple[str, str]]:
    """Return a module and what stands in for it: another (name, version), or what lies in a local folder."""
    old, _, new = rest.partition("//")[0].partition("=>")
    name = (old.split() or [""])[0]
    parts = new.split()
    return name, (parts[0], parts[1]) if len(parts) > 1 else (name, LOCAL)


def read_go_sum(path: str, source: str) -> Manifest:
    """Read the modules whose code was fetched, each in its newest version."""
    manifest = Manifest(ECOSYSTEM, path, locks=True)
    found: dict[str, list[str]] = {}
    for name, version in _SUM.findall(source):
        if not version.endswith("/go.mod"):
            found.setdefault(name, []).append(version)
    for name, versions in found.items():
        manifest.add(name, "", Scope.INDIRECT, newest(versions))
    return manifest
