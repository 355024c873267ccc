"""Which packages of a registry everybody knows: the name of any other may be a secret of its owner."""

from __future__ import annotations

from instance.learning.vocabulary import public_packages

_ECOSYSTEMS = {"pypi": "pypi", "npm": "npm", "golang": "go", "cargo": "crates", "maven": "maven", "hex": "hex"}


def is_public_dependency(ecosystem: str, name: str) -> bool:
    """Tell whether a package, under its name in a manifest, is a well-known one; `ecosystem` is a purl type."""
    packages = public_packages(_ECOSYSTEMS[ecosystem]) if ecosystem in _ECOSYSTEMS else frozenset()
    match ecosystem:
        case "pypi" | "cargo":
            return name.lower().replace("-", "_").replace(".", "_") in packages
        case "hex":
            return "".join(part.capitalize() for part in name.split("_")) in packages
        case "golang":
            return _has_prefix(name, "/", packages)
        case "maven":
            return _has_prefix(name.partition(":")[0], ".", packages)
        case _:
            return name in packages


def _has_prefix(name: str, separator: str, packages: frozenset[str]) -> bool:
    parts = name.split(separator)
    return any(separator.join(parts[:length]) in packages for length in range(1, len(parts) + 1))
