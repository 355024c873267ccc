"""The technologist: languages, frameworks and dependencies of a codebase."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from instance.agents.agent import Agent, Finding
from instance.agents.codebase import Codebase
from instance.analysis.languages import LANGUAGES
from instance.learning.technology.dependency import Dependency
from instance.learning.technology.detect import Framework, Technologies, technologies
from instance.learning.technology.manifests import is_manifest
from instance.learning.technology.usage import Usage

MANIFESTS_MAX = 2_000
_RELEASE = re.compile(r"[<>=!~^v ]{0,4}\d[\w.*+!-]{0,40}(?:(?:,| |\|\|){1,3}[<>=!~^v ]{0,4}\d[\w.*+!-]{0,40}){0,5}")


class Technologist(Agent):
    """Learns what a codebase is built with."""

    name = "technologist"

    def reads(self, path: str) -> bool:
        """Tell whether a file is a manifest or a lock file."""
        return is_manifest(path)

    def study(self, codebase: Codebase) -> Iterable[Finding]:
        """Return languages with all their files, frameworks with those that import them, and dependencies."""
        found = technologies_of(codebase)
        yield from _languages(codebase)
        yield from map(_framework, found.frameworks)
        yield from map(_dependency, found.dependencies)


def technologies_of(codebase: Codebase) -> Technologies:
    """Return what a codebase is built with, for its own people."""
    usage = Usage()
    for language, paths in codebase.languages.items():
        own = codebase.own_modules.get(language, frozenset())
        for path in paths:
            usage.add(path, language, codebase.imports_of(path), own)
    wanted = [path for path in codebase.paths if is_manifest(path)][:MANIFESTS_MAX]
    return technologies({path: codebase.text(path) for path in wanted}, codebase.paths, usage)


def _languages(codebase: Codebase) -> Iterator[Finding]:
    files: Counter[str] = Counter()
    for language, paths in codebase.languages.items():
        files[LANGUAGES[language].fingerprint_name] += len(paths)
    for name, count in files.items():
        yield Finding(kind="technology.language", name=name, files=count, occurrences=count, body={"name": name})


def _framework(found: Framework) -> Finding:
    files = max(found.importing_files, 1)
    body = {"name": found.id, "confidence": round(found.confidence, 2), "category": found.category}
    if release := _release(found.version):
        body["release"] = release
    return Finding(kind="technology.framework", name=found.id, files=files, occurrences=files, body=body)


def _release(version: str) -> str:
    """Return a version or a range; nothing of what is asked for by an address, a path or the name of a branch."""
    return version if _RELEASE.fullmatch(version) else ""


def _dependency(found: Dependency) -> Finding:
    body = {"ecosystem": found.ecosystem, "scope": found.scope.value, "name": found.name[:4096]}
    if release := _release(found.version or "") or _release(found.spec):
        body["release"] = release
    identity = f"pkg:{found.ecosystem}/{found.name}"
    return Finding(kind="technology.dependency", name=found.name, identity=identity, body=body)
