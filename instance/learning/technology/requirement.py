"""One Python requirement: `name[extra] >=1.0; marker`, as a value."""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement

from instance.analysis.language import words
from instance.learning.technology.dependency import Manifest, Scope

_LEGACY = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*\(?\s*([<>=!~][^;)#]*)?")
_DEV_WORDS = words(
    """
    dev devel develop development test tests testing check checks lint linting linters format formatting style type
    types typing mypy doc docs documentation ci qa quality coverage cov bench benchmark benchmarks release examples
    tools tool local pre commit audit
    """
)


def add_requirement(manifest: Manifest, line: str, scope: Scope) -> None:
    """Take one requirement; an exact pin is a version too."""
    try:
        requirement = Requirement(line)
    except (InvalidRequirement, RecursionError):
        match = _LEGACY.match(line)
        if match is None:
            manifest.dropped += 1
            return
        manifest.add(match[1], (match[2] or "").strip(), scope)
        return
    pins = [part.version for part in requirement.specifier if part.operator == "==" and "*" not in part.version]
    spec = requirement.url or str(requirement.specifier)
    manifest.add(requirement.name, spec, scope, pins[0] if pins else None)


def scope_of_group(name: str, otherwise: Scope) -> Scope:
    """Return the scope of an extra, a group or a requirements file, by the words of its name."""
    return Scope.DEV if _DEV_WORDS & set(re.split(r"[^a-z]+", name.lower())) else otherwise
