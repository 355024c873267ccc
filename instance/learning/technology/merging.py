"""From many manifests to one list of packages: inherited specs looked up, declared and locked made one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from instance.learning.technology.dependency import (
    INHERITED,
    LOCAL,
    SCOPE_OF,
    SPEC_LENGTH_MAX,
    STRENGTH,
    Dependency,
    Manifest,
    Scope,
    is_package_name,
)
from instance.learning.technology.versions import fitting

_SEVERAL_VERSIONS = frozenset({"npm", "cargo"})  # may install one package in several versions at once
_ALIAS = "libs."
_SCOPES = {scope.value: scope for scope in Scope}


def merged(manifests: Sequence[Manifest]) -> tuple[Dependency, ...]:
    """Return every foreign package once, in the scope that needs it most, sorted by ecosystem and name.

    A package that npm or Cargo locked in further versions has an indirect dependency for each of them.
    """
    own = {(manifest.ecosystem, name) for manifest in manifests for name in manifest.own}
    declared: dict[tuple[str, str], Dependency] = {}
    for dependency in _declared(manifests):
        key = dependency.ecosystem, dependency.name
        known = declared.get(key)
        if not _is_own(key, own) and (known is None or _rank(dependency) < _rank(known)):
            declared[key] = dependency
    locked = _locked(manifests, own)
    found = [
        each
        for key in declared.keys() | locked.keys()
        for each in _united(declared.get(key), locked.get(key, {}), several=key[0] in _SEVERAL_VERSIONS)
    ]
    return tuple(sorted(found, key=lambda each: (each.ecosystem, each.name, STRENGTH[each.scope], each.version or "")))


def _is_own(key: tuple[str, str], own: set[tuple[str, str]]) -> bool:
    """Tell whether a package is the repository's: by its name, or by a group around it."""
    ecosystem, name = key
    if key in own or ecosystem != "maven":
        return key in own
    parts = name.partition(":")[0].split(".")
    return any((ecosystem, ".".join(parts[:length]) + ":") in own for length in range(1, len(parts) + 1))


def _rank(dependency: Dependency) -> tuple[int, bool, str]:
    return STRENGTH[dependency.scope], not dependency.spec, dependency.source


def _declared(manifests: Iterable[Manifest]) -> Iterator[Dependency]:
    offers = {(each.ecosystem, _folder(each.path)): each.offers for each in _by_folder(manifests)}
    for manifest in manifests:
        if not manifest.locks:
            for dependency in manifest.dependencies:
                settled = _settled(dependency, offers)
                if settled is not None:
                    yield settled


def _by_folder(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    """Yield what is on offer in each folder: two manifests of one folder offer together."""
    folders: dict[tuple[str, str], Manifest] = {}
    for manifest in manifests:
        if manifest.offers:
            key = manifest.ecosystem, _folder(manifest.path)
            folders.setdefault(key, Manifest(manifest.ecosystem, manifest.path)).offers.update(manifest.offers)
    yield from folders.values()


def _settled(dependency: Dependency, offers: dict[tuple[str, str], dict[str, str]]) -> Dependency | None:
    """Look up what a manifest leaves to those above it; None when the package turns out to be local or unnamed."""
    spec, name, scope = dependency.spec, dependency.name, dependency.scope
    if scope is Scope.RUNTIME and dependency.ecosystem == "maven":
        scope = _SCOPES.get(_offered(dependency, SCOPE_OF + name, offers), scope)
    if spec.startswith(INHERITED):
        wanted = spec.removeprefix(INHERITED).strip() or name
        spec = _offered(dependency, wanted, offers)
        if name.startswith(_ALIAS):
            name, _, spec = spec.rpartition(":")
    if "${" in spec:
        spec = _offered(dependency, spec, offers)
    if spec == LOCAL or "${" in name or not is_package_name(name):
        return None
    return dependency._replace(spec="" if "${" in spec else spec[:SPEC_LENGTH_MAX], name=name, scope=scope)


def _offered(dependency: Dependency, wanted: str, offers: dict[tuple[str, str], dict[str, str]]) -> str:
    """Return the offer of the nearest folder above a manifest; Gradle's catalog lies in a folder `gradle`."""
    folder = _folder(dependency.source)
    while True:
        for place in (folder, f"{folder}/gradle".lstrip("/")):
            found = offers.get((dependency.ecosystem, place), {}).get(wanted)
            if found is not None:
                return found
        if not folder:
            return ""
        folder = _folder(folder)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _locked(manifests: Iterable[Manifest], own: set[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Dependency]]:
    """Return locked versions by package; "" stands for a package locked without one."""
    found: dict[tuple[str, str], dict[str, Dependency]] = {}
    for manifest in manifests:
        for dependency in manifest.dependencies if manifest.locks else ():
            key = dependency.ecosystem, dependency.name
            if not _is_own(key, own):
                found.setdefault(key, {}).setdefault(dependency.version or "", dependency)
    return found


def _united(declared: Dependency | None, locked: dict[str, Dependency], *, several: bool) -> Iterator[Dependency]:
    if declared is None:
        chosen = fitting("", locked)
        yield locked[chosen]
    elif declared.version or not locked:
        yield declared
        chosen = declared.version or ""
    else:
        chosen = fitting(declared.spec, locked)
        yield declared._replace(version=chosen or None)
    if several:
        yield from (each._replace(scope=Scope.INDIRECT) for version, each in locked.items() if version != chosen)
