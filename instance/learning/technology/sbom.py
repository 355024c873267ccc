"""CycloneDX: dependencies written as a software bill of materials in version 1.6, and read from any version's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, field

from instance.learning.technology.dependency import Dependency, Scope
from instance.learning.technology.documents import UnreadableError
from instance.learning.technology.purl import package_of, purl_of

SPEC_VERSION: Final = "1.6"
DEPTH_MAX: Final = 50
_OWN: Final = "flocklore:"
_NEEDED = MappingProxyType(
    {
        Scope.RUNTIME: "required",
        Scope.PEER: "required",
        Scope.INDIRECT: "required",
        Scope.OPTIONAL: "optional",
        Scope.BUILD: "excluded",
        Scope.DEV: "excluded",
    }
)
_SCOPE_OF = MappingProxyType({"required": Scope.RUNTIME, "optional": Scope.OPTIONAL, "excluded": Scope.DEV})


class _Property(Struct):
    name: str
    value: str = ""


class _Component(Struct, omit_defaults=True, rename={"bom_ref": "bom-ref"}):
    type: str
    name: str
    group: str = ""
    version: str = ""
    purl: str = ""
    bom_ref: str = ""
    scope: str = ""
    properties: list[_Property] = field(default_factory=list)
    components: list[_Component] = field(default_factory=list)


class _Metadata(Struct, omit_defaults=True):
    timestamp: str
    component: _Component | None = None


class _Bom(Struct, omit_defaults=True, rename="camel"):
    bom_format: str
    spec_version: str
    version: int = 0  # 1 is written, though it is the default
    serial_number: str = ""
    metadata: _Metadata | None = None
    components: list[_Component] = field(default_factory=list)


class _Read(Struct, rename="camel"):
    """What is asked of a foreign document: nothing that its writer may have left out or written otherwise."""

    bom_format: str
    components: list[_Component] = field(default_factory=list)


def write_sbom(dependencies: Iterable[Dependency], name: str, serial: UUID, now: datetime) -> bytes:
    """Return a CycloneDX 1.6 document about the repository called `name`, the same bytes for the same arguments.

    What CycloneDX has no word for (the spec as written, our scope, the manifest) stands in `flocklore:` properties.
    """
    components = {component.bom_ref: component for component in map(_component, dependencies)}
    bom = _Bom(
        bom_format="CycloneDX",
        spec_version=SPEC_VERSION,
        version=1,
        serial_number=serial.urn,
        metadata=_Metadata(now.isoformat(), _Component("application", name)),
        components=[components[reference] for reference in sorted(components)],
    )
    return msgspec.json.encode(bom)


def _component(dependency: Dependency) -> _Component:
    purl = purl_of(dependency)
    told = {"scope": dependency.scope, "spec": dependency.spec, "source": dependency.source}
    return _Component(
        type="library",
        name=dependency.name,
        version=dependency.version or "",
        purl=purl,
        bom_ref=purl,
        scope=_NEEDED[dependency.scope],
        properties=[_Property(_OWN + key, value) for key, value in told.items() if value],
    )


def read_sbom(document: bytes) -> tuple[Dependency, ...]:
    """Return the packages a CycloneDX JSON document names, those of other ecosystems left out.

    Raises `UnreadableError` when it is no such document.
    """
    try:
        bom = msgspec.json.decode(document, type=_Read)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UnreadableError(f"not a CycloneDX document: {error}") from error
    if bom.bom_format != "CycloneDX":
        raise UnreadableError("not a CycloneDX document: its bomFormat says so")
    found = {dependency[:4]: dependency for dependency in _dependencies(bom.components)}
    return tuple(found.values())


def _dependencies(components: list[_Component], depth: int = 0) -> Iterator[Dependency]:
    for component in components:
        package = package_of(component.purl)
        if package is not None:
            ecosystem, name, version = package
            told = {each.name.removeprefix(_OWN): each.value for each in component.properties}
            yield Dependency(
                ecosystem, name, told.get("spec", ""), version, _scope(component, told), told.get("source", "")
            )
        if depth < DEPTH_MAX:
            yield from _dependencies(component.components, depth + 1)


def _scope(component: _Component, told: dict[str, str]) -> Scope:
    try:
        return Scope(told["scope"])
    except (KeyError, ValueError):
        return _SCOPE_OF.get(component.scope, Scope.RUNTIME)
