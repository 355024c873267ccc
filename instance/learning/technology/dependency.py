"""What a manifest or a lock file says about packages: one shape for six ecosystems."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

LOCAL: Final = "local"  # the spec of a package that lies in the same repository: no dependency
INHERITED: Final = "inherited"  # the spec stands in a manifest further up
SCOPE_OF: Final = "scope of "  # an offer of a scope, for those who name none
DEPENDENCIES_MAX: Final = 50_000
SPEC_LENGTH_MAX: Final = 200
_NAME = re.compile(r"@?[\w$][\w.~/:+{}$@-]{0,254}")
_PYPI_SEPARATORS = re.compile(r"[-_.]+")


class Scope(StrEnum):
    """What a package is needed for, strongest first."""

    RUNTIME = "runtime"
    PEER = "peer"
    OPTIONAL = "optional"
    BUILD = "build"
    DEV = "dev"
    INDIRECT = "indirect"


STRENGTH: Final = {scope: rank for rank, scope in enumerate(Scope)}


class Dependency(NamedTuple):
    """One package: what is asked for (`spec`, as written), what a lock file holds (`version`) and who says so."""

    ecosystem: str  # a package URL type: npm, pypi, cargo, hex, golang or maven
    name: str
    spec: str
    version: str | None
    scope: Scope
    source: str


@dataclass(slots=True)
class Manifest:
    """One file read: `own` are the names it gives its package, `offers` the specs other manifests may inherit.

    An own name of Maven may be a group, `org.example:`: everything in and below it is the repository's.
    `settings` are the tools it configures (`pyproject.toml:tool.ruff`), `dropped` the entries nobody could name.
    """

    ecosystem: str  # a package URL type: npm, pypi, cargo, hex, golang or maven
    path: str
    locks: bool = False
    own: set[str] = field(default_factory=set)
    dependencies: list[Dependency] = field(default_factory=list)
    offers: dict[str, str] = field(default_factory=dict)
    settings: set[str] = field(default_factory=set)
    dropped: int = 0

    def add(self, name: str, spec: str, scope: Scope, version: str | None = None) -> None:
        """Take one entry; a name no registry would accept is dropped and counted, a local package left out."""
        if spec == LOCAL:
            return
        if not is_package_name(name) or len(self.dependencies) >= DEPENDENCIES_MAX:
            self.dropped += 1
            return
        known = canonical_name(self.ecosystem, name)
        version = version[:SPEC_LENGTH_MAX] if version else None
        self.dependencies.append(Dependency(self.ecosystem, known, spec.strip(), version, scope, self.path))

    def call_own(self, name: str) -> None:
        """Remember a name this manifest gives to what it describes."""
        if name:
            self.own.add(canonical_name(self.ecosystem, name))


def is_package_name(name: str) -> bool:
    """Tell whether a registry could have a package of this name (or a template of one, with `${...}` in it)."""
    return _NAME.fullmatch(name) is not None


def canonical_name(ecosystem: str, name: str) -> str:
    """Return the one spelling of a package's name."""
    return _PYPI_SEPARATORS.sub("-", name).lower() if ecosystem == "pypi" else name
