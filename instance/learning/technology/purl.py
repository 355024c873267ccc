"""Package URLs: the one name a package has for every tool that reads dependency reports."""

from __future__ import annotations

from collections.abc import Iterable

from packageurl import PackageURL

from instance.learning.technology.dependency import Dependency, canonical_name
from instance.learning.technology.rules import ECOSYSTEMS


def report(dependencies: Iterable[Dependency]) -> list[str]:
    """Return the package URL of every dependency, each once, sorted."""
    return sorted({purl_of(dependency) for dependency in dependencies})


def purl_of(dependency: Dependency) -> str:
    """Return `pkg:npm/%40scope/name@1.0.0`, without a version where none is locked."""
    separator = ":" if dependency.ecosystem == "maven" else "/"
    namespace, _, name = dependency.name.rpartition(separator)
    return PackageURL(dependency.ecosystem, namespace or None, name, dependency.version).to_string()


def package_of(purl: str) -> tuple[str, str, str | None] | None:
    """Return (ecosystem, name, version) of a package URL, None when it is none or of another ecosystem."""
    try:
        url = PackageURL.from_string(purl)
    except ValueError:
        return None
    if url.type not in ECOSYSTEMS:
        return None
    separator = ":" if url.type == "maven" else "/"
    name = f"{url.namespace}{separator}{url.name}" if url.namespace else url.name
    return url.type, canonical_name(url.type, name), url.version or None
